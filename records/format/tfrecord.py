"""The TFRecord format: how records follow one another in a shard.

    length   uint64, little-endian       8 bytes
    its checksum                         4
    record                               length
    its checksum                         4

Checksums are masked CRC-32C. Source: "TFRecords format details" in
https://www.tensorflow.org/tutorials/load_data/tfrecord
"""

import struct
from typing import BinaryIO

import google_crc32c

LENGTH, CHECKSUM = struct.Struct("<Q"), struct.Struct("<I")
HEADER_BYTES = LENGTH.size + CHECKSUM.size


def frame(record: bytes) -> bytes:
    """Returns a record with its length and checksums, as a shard holds it."""
    length = LENGTH.pack(len(record))
    return b"".join((length, checksum(length), record, checksum(record)))


def read_length(file: BinaryIO) -> int | None:
    """Reads the length of the next record; None if it does not fit its checksum.

    Raises:
        EOFError: the file has no further record.
    """
    header = file.read(HEADER_BYTES)
    if not header:
        raise EOFError
    length = header[: LENGTH.size]
    if len(header) < HEADER_BYTES or header[LENGTH.size :] != checksum(length):
        return None
    return LENGTH.unpack(length)[0]


def read_body(file: BinaryIO, length: int) -> bytes | None:
    """Reads a record after its length; None if it does not fit its checksum."""
    body = file.read(length + CHECKSUM.size)
    record = body[:length]
    return record if body[length:] == checksum(record) else None


def checksum(data: bytes) -> bytes:
    crc = google_crc32c.value(data)
    return CHECKSUM.pack(((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
