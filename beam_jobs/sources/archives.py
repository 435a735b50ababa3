"""Unpacks compressed files, a bounded part at a time.

Beam's own way takes a file that was cut short for a whole one. It also unpacks 16 MiB
of a file at once, which may become gigabytes.
"""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import zstandard
from apache_beam.io.filesystem import CompressionTypes

from records.storage.base import Stream

PACKED = 1 << 8  # bytes unpacked at once: zstd makes up to 8 MiB of them
BUFFER = 1 << 16  # bytes of content that a reader asks for at once
WINDOW = 1 << 31  # bytes: the largest of `zstd --long=31`


class Unpacked(io.RawIOBase):
    """The content of a compressed file, which may consist of several parts.

    Args:
        file: compressed.
        decompressor: returns the decompressor of one part.
    """

    def __init__(self, file: BinaryIO, decompressor: Callable[[], Any]):
        self.file, self.decompressor = file, decompressor
        self.part, self.unread = decompressor(), b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.unread and (packed := self.next_packed()):
            self.unread = self.part.decompress(packed)
        size = len(buffer)
        content, self.unread = self.unread[:size], self.unread[size:]
        buffer[: len(content)] = content
        return len(content)

    def next_packed(self) -> bytes:
        """Returns the next compressed bytes, none at the end of the file.

        After the end of a part a decompressor of the next one takes over.

        Raises:
            EOFError: the file ends within a part.
        """
        packed = self.part.unused_data or self.file.read(PACKED)
        if self.part.eof and packed:
            self.part = self.decompressor()
        elif not self.part.eof and not packed:
            raise EOFError("the compressed file ended before its last part did")
        return packed


def open_zlib(file: BinaryIO) -> Unpacked:
    return Unpacked(file, zlib.decompressobj)


def open_zstd(file: BinaryIO) -> Unpacked:
    decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW)
    return Unpacked(file, decompressor.decompressobj)


OPEN: dict[str, Callable[[BinaryIO], Any]] = {
    CompressionTypes.UNCOMPRESSED: lambda file: file,
    CompressionTypes.GZIP: lambda file: gzip.GzipFile(fileobj=file),
    CompressionTypes.BZIP2: bz2.BZ2File,
    CompressionTypes.LZMA: lzma.LZMAFile,
    CompressionTypes.DEFLATE: open_zlib,
    CompressionTypes.ZSTD: open_zstd,
}


def unpack(file: BinaryIO, path: str) -> BinaryIO:
    """Returns the content of an open file, unpacked as the name of `path` requires.

    Reading damaged content raises OSError. The caller closes `file`.
    """
    kind = CompressionTypes.detect_compression_type(path)
    return io.BufferedReader(Stream(OPEN[kind](file), damage_as_os_error), BUFFER)


@contextmanager
def damage_as_os_error() -> Iterator[None]:
    """Turns the libraries' errors of damaged archives into OSError."""
    try:
        yield
    except (EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
        raise OSError(str(error)) from None
