"""Sizes of the pages of a Parquet file, from their headers.

Arrow unpacks a page whole, into as many bytes as its header says. The header is a
struct in Thrift's compact protocol, and stands before the page.

Source: Apache Parquet, parquet.thrift, "PageHeader"; Apache Thrift, "Thrift compact
protocol encoding".
"""

import os
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import pyarrow.parquet as pq

from records.photo_header import MAX_BYTES, PhotoProblem
from records.storage.files import open_file

BUFFER = 1 << 12  # bytes read at once: pages between headers are skipped
UNPACKED, PACKED = 2, 3  # fields of a header
TRUE, FALSE, BYTE, SHORT, INT, LONG, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(
    1, 13
)
NUMBERS = (SHORT, INT, LONG)
FIXED = {TRUE: 0, FALSE: 0, BYTE: 1, DOUBLE: 8}  # bytes of a value
DEPTH = 16  # of structs and lists in each other
MANY = 15  # in place of the length of a list, which follows
LONGEST = 16 << 20  # bytes of a header: the most that Arrow reads


class HeaderError(Exception):
    """An error for bytes that are no header, which Arrow refuses as well."""


class PageSize(NamedTuple):
    """Bytes of a page, as they are read and unpacked."""

    packed: int
    unpacked: int


def check_pages(path: str, chunk: pq.ColumnChunkMetaData) -> None:
    """Checks the sizes of the pages of a column in a row group, before any is read.

    A damaged header ends the check: Arrow finds it, after the pages before it.

    Args:
        path: of the file.
        chunk: the column in the row group.

    Raises:
        PhotoProblem: a page is too large.
        OSError: the file cannot be read.
    """
    with open_file(path, BUFFER) as file:
        for size in page_sizes(file, first_page(chunk), chunk.total_compressed_size):
            if max(size) > MAX_BYTES:
                raise PhotoProblem(
                    "too_many_bytes",
                    f"a page of its row group has {max(size):,} bytes; {MAX_BYTES:,} "
                    "are the most that is read",
                )


def first_page(chunk: pq.ColumnChunkMetaData) -> int:
    """Returns the first byte of a column in a row group."""
    first, dictionary = chunk.data_page_offset, chunk.dictionary_page_offset
    return min(first, dictionary) if dictionary else first


def page_sizes(file: BinaryIO, start: int, length: int) -> Iterator[PageSize]:
    """Yields the sizes of the pages in a part of a file; ends at a damaged header."""
    at, end = start, start + length
    while at < end:
        file.seek(at)
        try:
            fields = HeaderReader(file).struct()
            size = PageSize(fields[PACKED], fields[UNPACKED])
        except (HeaderError, KeyError):
            return
        if min(size) < 0:
            return
        yield size
        at = file.tell() + size.packed


class HeaderReader:
    """A reader of one header, of `LONGEST` bytes at most.

    Methods raise HeaderError where no header goes on.
    """

    def __init__(self, file: BinaryIO):
        self.file, self.end = file, file.tell() + LONGEST

    def struct(self, depth: int = DEPTH) -> dict[int, int]:
        """Reads a struct; returns its whole numbers by field, and skips all else."""
        field, numbers = 0, {}
        while (byte := self.byte()) != 0:
            delta, kind = divmod(byte, 16)
            field = field + delta if delta else signed(self.number())
            if kind in NUMBERS:
                numbers[field] = signed(self.number())
            else:
                self.skip(kind, depth)
        return numbers

    def skip(self, kind: int, depth: int) -> None:
        if not depth:
            raise HeaderError("too many values lie in each other")
        if kind in FIXED:
            self.skip_bytes(FIXED[kind])
        elif kind in NUMBERS:
            self.number()
        elif kind == BINARY:
            self.skip_bytes(self.number())
        elif kind == STRUCT:
            self.struct(depth - 1)
        elif kind in (LIST, SET):
            self.skip_list(depth - 1)
        else:
            raise HeaderError(f"no value of the kind {kind} is known")

    def skip_list(self, depth: int) -> None:
        count, kind = divmod(self.byte(), 16)
        count = self.number() if count == MANY else count
        if kind in FIXED:
            self.skip_bytes(count * (FIXED[kind] or 1))
            return
        for _ in range(count):  # each is one byte at least
            self.skip(kind, depth)

    def skip_bytes(self, count: int) -> None:
        if self.file.tell() + count > self.end:
            raise HeaderError("the header is too long")
        self.file.seek(count, os.SEEK_CUR)

    def number(self) -> int:
        """Reads a number without a sign, seven bits a byte, the lowest first."""
        number = 0
        for shift in range(0, 70, 7):
            byte = self.byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
        raise HeaderError("a number has more than ten bytes")

    def byte(self) -> int:
        content = self.file.read(1)
        if not content or self.file.tell() > self.end:
            raise HeaderError("the file ends in the header, or it is too long")
        return content[0]


def signed(number: int) -> int:
    """Returns the number with a sign that is stored as one without.

    >>> [signed(number) for number in (0, 1, 2, 3)]
    [0, -1, 1, -2]
    """
    return (number >> 1) ^ -(number & 1)
