"""Photo files: finding them, and reading one, on any file system Beam knows."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems

from beam_jobs.elements import PhotoFile
from beam_jobs.remote_files import escape, match
from records.errors import UserError
from records.files import read_file, reason
from records.storage import StorageUserError, is_remote
from tfcap.photos import PhotoProblem, check_header

AT_A_TIME = 16
UNREADABLE = "unreadable_file"


class ListPhotos(beam.DoFn):
    """Photo directory -> (photo id, PhotoFile) for each file in it; the id is its name.

    Args:
        nested: look into the folders of the directory as well, but not into links to
            folders.
    """

    def __init__(self, nested: bool = False):
        self.pattern = "**" if nested else "*"

    def process(self, directory: str):
        for file in match_photos(FileSystems.join(escape(directory), self.pattern)):
            photo_id = FileSystems.split(file.photo_id)[1]
            yield photo_id, file._replace(photo_id=photo_id)


def match_photos(pattern: str) -> Iterator[PhotoFile]:
    """Yields the files that match a pattern (`*`, `**`, `?`, `[...]`), named by path.

    A name that is not UTF-8 is made readable in the id; the path stays as it is.

    Raises:
        UserError: the place cannot be listed.
    """
    try:
        found = match(pattern)
    except OSError as error:
        raise UserError(f"cannot list {pattern}: {reason(error)}") from None
    for file in found:
        photo_id = file.path.encode("utf-8", "backslashreplace").decode()
        modified = file.last_updated_in_seconds
        yield PhotoFile(photo_id, file.path, file.size_in_bytes, modified)


def read_photos(paths: Sequence[str]) -> list[tuple[bytes, str] | PhotoProblem]:
    """Photos' bytes and formats, or what is wrong with them, in order.

    Those of a remote file system are read several at a time: each takes its time to
    come.

    Raises:
        UserError: the file system does not answer.
    """
    if not any(map(is_remote, paths)):
        return [read_or_problem(path) for path in paths]
    with ThreadPoolExecutor(AT_A_TIME) as threads:
        return list(threads.map(read_or_problem, paths))


def read_or_problem(path: str) -> tuple[bytes, str] | PhotoProblem:
    try:
        return read_photo(path)
    except PhotoProblem as problem:
        return problem


def read_photo(path: str) -> tuple[bytes, str]:
    """A photo's bytes and its format.

    Raises:
        PhotoProblem: it cannot be read (permission, or gone since it was listed), or
            its header says that it should not be decoded.
        UserError: the file system does not answer, or the photo's directory has gone.
            That is no fault of the photo, and a build without it would not be the same.
    """
    try:
        content = read_file(path)
    except OSError as error:
        if isinstance(error, StorageUserError) and not error.refused:
            raise
        folder = os.path.dirname(path)
        if not is_remote(path) and not os.path.isdir(folder):
            raise UserError(
                f"the photo directory {folder} was there and has gone; with it back, "
                "the same command goes on"
            ) from None
        raise PhotoProblem(UNREADABLE, reason(error)) from None
    return content, check_header(content)
