"""Finds and reads photo files on any file system that Beam knows."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from apache_beam.io.filesystems import FileSystems

from beam_jobs.containers.members import Container
from beam_jobs.containers.patterns import expand, is_zip
from beam_jobs.containers.zip_files import check_zip, list_zip
from beam_jobs.elements import Photo, SourceFile
from beam_jobs.io.beam_storage import escape, match
from records.errors import UserError
from records.format.rejects import Reject
from records.photo_header import MAX_BYTES, PhotoProblem, check_header
from records.storage.base import StorageUserError, is_remote, local_files
from records.storage.files import as_utf8, named_errors, read_file, reason
from records.storage.photo_directory import check_directory
from records.storage.photo_ids import photo_id

AT_A_TIME = 16
UNREADABLE = "unreadable_file"


def check_photos(path: str) -> None:
    """Raises UserError if `--photos` names neither a directory nor a zip file."""
    if is_zip(path):
        for zip_path in expand(path):
            check_zip(Container.at(zip_path))
    else:
        check_directory(path)


def list_photos(directory: str) -> Iterator[SourceFile]:
    """Yields the files of a photo directory or of zips; the id is the path below it.

    Files of its folders are listed too; links are followed.

    Args:
        directory: on any file system; or a zip file, or a pattern of them.

    Raises:
        UserError: the directory cannot be listed, or a link leads back to a directory
            that contains it.
    """
    if is_zip(directory):
        for path in expand(directory):
            yield from list_zip(Container.at(path))
        return
    if not is_remote(directory):
        yield from list_local(directory)
        return
    start = directory.rstrip("/") + "/"
    for file in match_photos(FileSystems.join(escape(directory), "**")):
        yield file._replace(photo_id=photo_id(file.path.removeprefix(start)))


def list_local(directory: str) -> Iterator[SourceFile]:
    """Yields the files of a local directory; Beam would hold all of them at once."""
    try:
        for entry in local_files(directory, nested=True):
            name, status = os.path.relpath(entry.path, directory), entry.stat()
            size, modified = status.st_size, status.st_mtime
            yield SourceFile(photo_id(name), entry.path, size, modified)
    except OSError as error:
        # A link to itself is named, not the directory that it lies in.
        with named_errors("list", error.filename or directory):
            raise


def match_photos(pattern: str) -> Iterator[SourceFile]:
    """Yields the files that match a pattern (`*`, `**`, `?`, `[...]`), named by path.

    A name that is not UTF-8 is made readable in the id; the path stays as it is.

    Raises:
        UserError: the files cannot be listed.
    """
    with named_errors("list", pattern):
        files = match(pattern)
    for file in files:
        modified = file.last_updated_in_seconds
        yield SourceFile(as_utf8(file.path), file.path, file.size_in_bytes, modified)


def reject_photo(photo: Photo, reason: str, detail: str) -> Reject:
    return Reject("photo", photo.photo_id, reason, detail, len(photo.captions))


def read_photos(paths: Sequence[str]) -> list[tuple[bytes, str] | PhotoProblem]:
    """Returns photos' bytes and formats, or what is wrong with them, in order.

    Several remote photos are read at a time, because each read waits for the network.

    Raises:
        UserError: the file system does not answer.
    """
    if not any(map(is_remote, paths)):
        return [read_photo(path) for path in paths]
    with ThreadPoolExecutor(AT_A_TIME) as threads:
        return list(threads.map(read_photo, paths))


def read_photo(path: str) -> tuple[bytes, str] | PhotoProblem:
    """Returns a photo's bytes and its format.

    It returns a problem if the photo cannot be read (permission, or gone since it was
    listed), or if its header says that it should not be decoded.

    Raises:
        UserError: the file system does not answer, or the photo's directory has gone.
            The photo is not at fault, and the records would differ without it.
    """
    try:
        content = read_file(path, MAX_BYTES)
        return content, check_header(content).kind
    except PhotoProblem as problem:
        return problem
    except OSError as error:
        if isinstance(error, StorageUserError) and not error.refused:
            raise
        folder = os.path.dirname(path)
        if not is_remote(path) and not os.path.isdir(folder):
            raise UserError(
                f"the photo directory {folder} was there and has gone; restore it and "
                "run the same command again to resume"
            ) from None
        return PhotoProblem(UNREADABLE, reason(error))
