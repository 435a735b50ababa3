"""Members of a tar file: where they lie, and their bytes.

A header in the common form is read here. Python's `tarfile` reads the others (long
names, large sizes, sparse files), from a file that gives it `LONGEST` bytes a member:
it would hold a name of gigabytes.

Source: IEEE Std 1003.1-2017, pax, "ustar Interchange Format".
"""

import tarfile
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from beam_jobs.containers.members import Container, MemberReader
from beam_jobs.elements import SourceFile

BLOCK = 512
LONGEST = 1 << 20  # bytes of headers of one member
BUFFER = 1 << 16  # bytes read at once: photos between headers are skipped
PLAIN = b"0\0"  # types of a regular file
BROKEN = (tarfile.TarError, RecursionError, ValueError, OverflowError)


class TarMember(NamedTuple):
    """A regular file in a tar: its name, size and first byte."""

    name: str
    size: int
    start: int


class TarDamage(NamedTuple):
    """The end of what can be read of a tar.

    Attributes:
        name: of the member that is cut or follows, if it is known.
        detail: what is wrong.
    """

    name: str
    detail: str


class Header(NamedTuple):
    """A member's header; `end` is the place of the next one."""

    name: str
    size: int
    start: int
    end: int
    regular: bool = True


def list_tar(file: BinaryIO, container: Container) -> Iterator[TarMember | TarDamage]:
    """Yields the regular files in a tar, in order, and at last its damage, if any.

    The caller may read the open file between two of them.
    """
    at = 0
    while True:
        file.seek(at)
        block = file.read(BLOCK)
        if len(block) == BLOCK and not block.strip(b"\0"):
            return
        if len(block) < BLOCK:
            yield TarDamage("", f"it ends at byte {at + len(block):,} without its mark")
            return
        try:
            header = plain_header(block, at) or other_header(file, at)
        except BROKEN as error:
            yield TarDamage("", f"no member begins at byte {at:,}: {error}")
            return
        if header.end > container.size or header.end <= at:
            detail = f"it is cut off: the tar ends at byte {container.size:,}"
            yield TarDamage(header.name, detail)
            return
        if header.regular:
            yield TarMember(header.name, header.size, header.start)
        at = header.end


def plain_header(block: bytes, at: int) -> Header | None:
    """Returns a header in the common form; None for others and for damaged ones."""
    digits = block[124:136].strip(b" \0")
    if block[156] not in PLAIN or not digits.isdigit() or not sum_is_right(block):
        return None
    name, _, _ = block[:100].partition(b"\0")
    prefix, _, _ = block[345:500].partition(b"\0")
    if block.startswith(b"ustar\0", 257) and prefix:
        name = prefix + b"/" + name
    size, start = int(digits, 8), at + BLOCK
    text = name.decode("utf-8", "surrogateescape")
    regular = not text.endswith("/")  # a folder, in the oldest tars
    return Header(text, size, start, start + -(-size // BLOCK) * BLOCK, regular)


def sum_is_right(block: bytes) -> bool:
    digits = block[148:156].strip(b" \0")
    total = sum(block) - sum(block[148:156]) + 8 * ord(" ")
    return digits.isdigit() and int(digits, 8) == total


def other_header(file: BinaryIO, at: int) -> Header:
    """Reads a header by `tarfile`, and those of long names before it.

    Raises:
        tarfile.TarError: it is damaged, or longer than `LONGEST`.
    """
    file.seek(at)
    with tarfile.open(fileobj=Bounded(file), mode="r:") as tar:  # type: ignore[call-overload]  # takes any file with read, seek and tell
        member = tar.next()
        if member is None:
            raise tarfile.ReadError("no header")
        regular = member.isreg() and not member.issparse()
        return Header(member.name, member.size, member.offset_data, tar.offset, regular)


class Bounded:
    """A file that gives out `LONGEST` bytes at most."""

    def __init__(self, file: BinaryIO):
        self.file, self.left = file, LONGEST

    def read(self, size: int) -> bytes:
        self.left -= size
        if self.left < 0:
            raise tarfile.ReadError(f"its headers are longer than {LONGEST:,} bytes")
        return self.file.read(size)

    def seek(self, offset: int) -> Any:
        return self.file.seek(offset)

    def tell(self) -> int:
        return self.file.tell()


class TarReader(MemberReader):
    """A reader of members of one tar."""

    def read(self, member: SourceFile) -> bytes:
        self.file.seek(member.place)
        return self.read_whole(member.size)
