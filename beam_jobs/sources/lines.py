"""Opens caption files and split lists, unpacked, and reads their lines."""

import codecs
import itertools
import os
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from beam_jobs.elements import SplitAssignment
from records.errors import UserError
from records.storage.base import check_regular, is_remote
from records.storage.photo_ids import photo_id

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")
UNREADABLE = (OSError, EOFError, zlib.error)  # the last two: damaged archives


def read_split(split: str, path: str, suffix: str = "") -> Iterator[SplitAssignment]:
    """Yields the photos of a list.

    Args:
        split: of its photos.
        path: of the list.
        suffix: added to names that have no suffix of photos.
    """
    for number, line in read_lines(path):
        try:
            name = line.decode().strip()
        except UnicodeDecodeError as error:
            raise UserError(
                f"{path}:{number} is not UTF-8 ({error.reason}); convert the list"
            ) from None
        yield SplitAssignment(photo_id(with_suffix(name, suffix)), split)


def with_suffix(name: str, suffix: str) -> str:
    """Adds a suffix to a photo's name, unless it ends as photos' names do.

    >>> [with_suffix(name, ".jpg") for name in ("1000", "1000.JPG", "1000.png")]
    ['1000.jpg', '1000.JPG', '1000.png']
    """
    return name if name.lower().endswith(PHOTO_SUFFIXES) else name + suffix


def read_lines(path: str) -> Iterator[tuple[int, bytes]]:
    """Yields (line number from 1, line without its end); blank lines are skipped.

    A byte-order mark before UTF-8 text is skipped too.

    Raises:
        UserError: the file is UTF-16.
    """
    with open_unpacked(path) as file:
        number = 0
        while line := file.readline():
            number += 1
            if number == 1:
                line = without_mark(line, path)
            if line.strip():
                yield number, line.rstrip(b"\r\n")


def open_unpacked(path: str) -> BinaryIO:
    """Opens a file of captions or a list, unpacked.

    Raises:
        StorageUserError: it is a pipe or a device, which may have no end.
    """
    if not is_remote(path):
        check_regular(path, os.stat(path).st_mode)
    return FileSystems.open(path, compression_type=CompressionTypes.AUTO)


def without_mark(start: bytes, path: str) -> bytes:
    """Returns the beginning of a file without the byte-order mark of UTF-8.

    Raises:
        UserError: the file is UTF-16.
    """
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UserError(
            f"{path} is UTF-16; expected UTF-8. Convert it, e.g. "
            f"iconv -f UTF-16 -t UTF-8 {path}"
        )
    return start.removeprefix(codecs.BOM_UTF8)


def first_lines(flag: str, path: str, count: int) -> list[tuple[int, bytes]]:
    try:
        return list(itertools.islice(read_lines(path), count))
    except UNREADABLE as error:
        raise UserError(f"{flag}: cannot read {path}: {why(error)}") from None


def why(error: Exception) -> str:
    """Returns the cause of an error, without the name of the file if possible."""
    return getattr(error, "strerror", None) or str(error)


def start_of_captions(path: str, count: int = 10) -> list[tuple[int, bytes]]:
    """Returns the first lines of a caption file.

    Raises:
        UserError: no such file, or an empty one.
    """
    if not FileSystems.exists(path):
        raise UserError(f"--captions: no file {path}")
    first = first_lines("--captions", path, count)
    if not first:
        raise UserError(f"--captions: {path} is empty")
    return first


def read_start(path: str) -> bytes:
    """Returns the first bytes of a document, without white space before it."""
    if not FileSystems.exists(path):
        raise UserError(f"--captions: no file {path}")
    try:
        with open_unpacked(path) as file:
            start = file.read(4096)
    except UNREADABLE as error:
        raise UserError(f"--captions: cannot read {path}: {why(error)}") from None
    return without_mark(start, path).lstrip()
