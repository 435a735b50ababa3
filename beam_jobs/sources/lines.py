"""Opens caption files and split lists, unpacked, and reads their lines."""

import codecs
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from beam_jobs.elements import SplitAssignment
from beam_jobs.sources.archives import unpack
from beam_jobs.sources.item_error import ItemError
from records.errors import UserError
from records.storage.base import check_regular, is_remote
from records.storage.files import exists, named_errors, open_file
from records.storage.photo_ids import photo_id

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")
LONGEST = 1 << 20  # bytes of a line
NUMBER = r"\d{1,640}"  # Python may refuse to read a number of more digits


def read_split(split: str, path: str, suffix: str = "") -> Iterator[SplitAssignment]:
    """Yields the photos of a list.

    Args:
        split: of its photos.
        path: of the list.
        suffix: added to names that have no suffix of photos.
    """
    for number, line in read_lines(path):
        try:
            name = decode_line(line).strip()
        except ItemError as bad:
            raise UserError(
                f"{path}:{number}: {bad}. Expected a photo file name a line, in UTF-8"
            ) from None
        yield SplitAssignment(photo_id(with_suffix(name, suffix)), split)


def with_suffix(name: str, suffix: str) -> str:
    """Adds a suffix to a photo's name, unless it ends as photos' names do.

    >>> [with_suffix(name, ".jpg") for name in ("1000", "1000.JPG", "1000.png")]
    ['1000.jpg', '1000.JPG', '1000.png']
    """
    return name if name.lower().endswith(PHOTO_SUFFIXES) else name + suffix


def read_lines(path: str, option: str = "") -> Iterator[tuple[int, bytes]]:
    """Yields (line number from 1, line without its end); blank lines are skipped.

    A byte-order mark before UTF-8 text is skipped too. A line that is too long is cut,
    and `decode_line` refuses it.

    Args:
        path: of the file.
        option: that names the file, for messages.

    Raises:
        UserError: the file cannot be read, or is UTF-16.
    """
    with open_unpacked(path, option) as file:
        for number, line in enumerate(bounded_lines(file), 1):
            if number == 1:
                line = without_mark(line, path)
            line = line.rstrip(b"\r\n")
            if line.strip() or len(line) > LONGEST:
                yield number, line


def bounded_lines(file: BinaryIO) -> Iterator[bytes]:
    """Yields lines; a long one is cut to one byte more than `LONGEST`."""
    while line := file.readline(LONGEST + 1):
        yield line
        while len(line) > LONGEST and not line.endswith(b"\n"):
            line = file.readline(LONGEST + 1)


def decode_line(line: bytes) -> str:
    """Returns the text of a line.

    Raises:
        ItemError: the line is too long, or not UTF-8.
    """
    if len(line) > LONGEST:
        raise ItemError(
            "line_too_long",
            f"expected at most {LONGEST:,} bytes a line; it begins with {line[:80]!r}",
        )
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise ItemError("not_utf8", str(error)) from None


@contextmanager
def open_unpacked(path: str, option: str = "") -> Iterator[BinaryIO]:
    """Opens a file of captions or a list, unpacked, until the body ends.

    Args:
        path: of the file.
        option: that names the file, for messages.

    Raises:
        UserError: it cannot be read, or is a pipe or a device, which may have no end.
    """
    with named_errors("read", path, option):
        if not is_remote(path):
            check_regular(path, os.stat(path).st_mode)
        with open_file(path) as file:
            yield unpack(file, path)


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
    return list(itertools.islice(read_lines(path, flag), count))


def start_of_captions(path: str, count: int = 10) -> list[tuple[int, bytes]]:
    """Returns the first lines of a caption file.

    Raises:
        UserError: no such file, or an empty one.
    """
    if not exists(path):
        raise UserError(f"--captions: no file {path}")
    first = first_lines("--captions", path, count)
    if not first:
        raise UserError(f"--captions: {path} is empty")
    return first


def read_start(path: str) -> bytes:
    """Returns the first bytes of a document, without white space before it."""
    if not exists(path):
        raise UserError(f"--captions: no file {path}")
    with open_unpacked(path, "--captions") as file:
        start = file.read(4096)
    return without_mark(start, path).lstrip()
