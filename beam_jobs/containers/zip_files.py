"""Photos in a zip file.

The directory at its end is read entry by entry, so that memory does not grow with the
members. A member is inflated up to the size that the directory gives it, and one that
inflates like a bomb is refused.

Source: PKWARE, APPNOTE.TXT, .ZIP File Format Specification, version 6.3.10.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from beam_jobs.containers.members import DAMAGED, Container, MemberReader
from beam_jobs.elements import SourceFile
from records.errors import UserError
from records.photo_header import PhotoProblem
from records.storage.photo_ids import photo_id

END = struct.Struct("<4s4H2IH")
LOCATOR_SIZE = 20  # bytes between the two ends of a large zip
END64 = struct.Struct("<4sQ2H2I4Q")
ENTRY = struct.Struct("<4s6H3I5H2I")
LOCAL = struct.Struct("<4s5H3I2H")
LONGEST_COMMENT = 1 << 16
IN_EXTRA = 0xFFFFFFFF  # a number that stands in the extra field, for a large file
STORED, DEFLATED = 0, 8
ENCRYPTED, LATER, UTF8 = 0x1, 0x8, 0x800  # flags; LATER: the CRC follows the content
PACKED = 1 << 16  # bytes inflated at once
RATIO, SMALL = 200, 1 << 20  # a larger photo that is packed more tightly is refused


class Entry(NamedTuple):
    """An entry of the directory: a member's name, size and first byte."""

    name: str
    size: int
    start: int


def list_zip(container: Container) -> Iterator[SourceFile]:
    """Yields the files in a zip, in the order of its directory.

    Raises:
        UserError: it is no zip, or its directory is damaged.
    """
    with container.open() as file:
        for name, size, start in entries(file, container):
            if not name.endswith("/"):
                yield container.member(photo_id(name), size, start)


def check_zip(container: Container) -> None:
    """Raises UserError if a file is no zip."""
    with container.open() as file:
        find_directory(file, container)


def entries(file: BinaryIO, container: Container) -> Iterator[Entry]:
    """Yields the entries of the directory; their places are those in the file."""
    start, size, offset = find_directory(file, container)
    file.seek(start)
    while size > 0:
        fields = file.read(ENTRY.size)
        if len(fields) < ENTRY.size or not fields.startswith(b"PK\1\2"):
            raise damaged(container, "its directory of members is cut short")
        (_, _, _, flags, _, _, _, _, packed, unpacked, *lengths, _, _, _, at) = (
            ENTRY.unpack(fields)
        )
        name, extra, _ = map(file.read, lengths)
        unpacked, _, at = with_extra((unpacked, packed, at), extra)
        yield Entry(decode_name(name, flags), unpacked, max(0, at + offset))
        size -= ENTRY.size + sum(lengths)


def find_directory(file: BinaryIO, container: Container) -> tuple[int, int, int]:
    """Returns first byte and size of the directory, and the bytes before the archive.

    Raises:
        UserError: the file does not end as a zip does.
    """
    end_of_file = file.seek(0, os.SEEK_END)
    longest = LONGEST_COMMENT + END.size + LOCATOR_SIZE + END64.size
    tail_start = max(0, end_of_file - longest)
    file.seek(tail_start)
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < END.size:
        raise damaged(container, "it does not end as a zip file does")
    *_, size, start, _ = END.unpack_from(tail, at)
    end = tail_start + at
    at64 = at - LOCATOR_SIZE - END64.size
    if at64 >= 0 and tail.startswith(b"PK\6\6", at64):
        *_, size, start = END64.unpack_from(tail, at64)
        end = tail_start + at64
    if not 0 <= end - size <= end_of_file:
        raise damaged(container, "its directory is larger than the file")
    return end - size, size, end - size - start


def with_extra(numbers: tuple[int, ...], extra: bytes) -> list[int]:
    """Returns sizes and place, those of a large file from the extra field."""
    large: list[int] = []
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == 1:
            content = extra[4 : 4 + length]
            large = [n for (n,) in struct.iter_unpack("<Q", content[: length // 8 * 8])]
        extra = extra[4 + length :]
    return [large.pop(0) if n == IN_EXTRA and large else n for n in numbers]


def decode_name(name: bytes, flags: int) -> str:
    """Returns a member's name; without the flag, UTF-8 if it is that, else CP437."""
    if flags & UTF8:
        return name.decode("utf-8", "surrogateescape")
    try:
        return name.decode()
    except UnicodeDecodeError:
        return name.decode("cp437")


class ZipReader(MemberReader):
    """A reader of members of one zip."""

    def read(self, member: SourceFile) -> bytes:
        self.file.seek(member.place)
        header = self.file.read(LOCAL.size)
        if len(header) < LOCAL.size or not header.startswith(b"PK\3\4"):
            raise PhotoProblem(DAMAGED, f"no member begins at byte {member.place}")
        _, _, flags, method, _, _, crc, _, _, name, extra = LOCAL.unpack(header)
        self.file.read(name + extra)
        if flags & ENCRYPTED:
            raise PhotoProblem("encrypted_member", "it is encrypted")
        content = self.content(method, member.size)
        if zlib.crc32(content) != (self.read_crc() if flags & LATER else crc):
            raise PhotoProblem(DAMAGED, "its CRC-32 is another")
        return content

    def read_crc(self) -> int:
        """Reads the CRC-32 that follows the content, with or without its mark."""
        fields = self.read_whole(8)
        crc = fields[4:] if fields.startswith(b"PK\7\x08") else fields[:4]
        return int.from_bytes(crc, "little")

    def content(self, method: int, size: int) -> bytes:
        """Returns the content at the place of the file, which is then behind it."""
        if method == STORED:
            return self.read_whole(size)
        if method == DEFLATED:
            return self.inflate(size)
        raise PhotoProblem(
            "unsupported_compression",
            f"method {method}; expected a member that is stored or deflated",
        )

    def inflate(self, size: int) -> bytes:
        """Inflates the member at the place of the file."""
        inflater, parts, held, taken = zlib.decompressobj(-15), [], 0, 0
        while not inflater.eof and held <= size:
            packed = inflater.unconsumed_tail or self.file.read(PACKED)
            taken += len(packed)
            try:
                part = inflater.decompress(packed, SMALL)
            except zlib.error as error:
                raise PhotoProblem(DAMAGED, f"it cannot be inflated: {error}") from None
            taken -= len(inflater.unconsumed_tail)
            parts.append(part)
            held += len(part)
            if not packed and not part:
                raise PhotoProblem(DAMAGED, "the zip ends within it")
            if held > SMALL and held > RATIO * taken:
                raise PhotoProblem("zip_bomb", f"{taken:,} bytes inflate to {held:,}")
        if held != size:
            raise PhotoProblem(DAMAGED, f"its size is not {size:,} bytes")
        self.file.seek(self.file.tell() - len(inflater.unused_data))
        return b"".join(parts)


def damaged(container: Container, problem: str) -> UserError:
    return UserError(f"--photos: {container.path} cannot be read: {problem}")
