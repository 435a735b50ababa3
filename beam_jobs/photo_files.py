"""Photo files: finding them, and reading one, on any file system Beam knows."""

from collections.abc import Iterator

import apache_beam as beam
from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from beam_jobs.elements import PhotoFile
from records.errors import UserError
from tfcap.photos import PhotoProblem, check_header


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
        (match,) = FileSystems.match([pattern])
    except BeamIOError as error:
        raise UserError(f"cannot list {pattern}: {error}") from None
    for file in match.metadata_list:
        photo_id = file.path.encode("utf-8", "backslashreplace").decode()
        modified = file.last_updated_in_seconds
        yield PhotoFile(photo_id, file.path, file.size_in_bytes, modified)


def escape(path: str) -> str:
    """A pattern that matches just this path."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in path)


def read_photo(path: str) -> tuple[bytes, str]:
    """A photo's bytes and its format.

    Raises:
        PhotoProblem: it cannot be read (permission, or gone since it was listed), or
            its header says that it should not be decoded.
    """
    try:
        plain = CompressionTypes.UNCOMPRESSED
        with FileSystems.open(path, compression_type=plain) as file:
            content = file.read()
    except OSError as error:
        detail = error.strerror or str(error)
        raise PhotoProblem("unreadable_file", detail) from None
    return content, check_header(content)
