"""Reads some columns of a shard and skips large ones that are not requested.

    record       tf.train.Example { features = 1 }
    features     tf.train.Features { feature = 1, a map: an entry for each column }
    entry        { key = 1, the column's name; value = 2 }

So captions can be read without the features, which take a hundred times as many bytes.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import BinaryIO

from records.errors import UserError
from records.format.protobuf_wire import field, read_head
from records.format.shard_reader import ShardReader
from records.format.tfrecord import CHECKSUM, HEADER_BYTES, read_body
from records.storage.files import named_errors

WHOLE = 1 << 14  # bytes: skipping less saves no time
BUFFER = 1 << 13  # bytes read at a time
HEAD = 64  # bytes of an entry that hold its lengths and the column's name


def read_columns(path: str, columns: Collection[str]) -> Iterator[bytes]:
    """Yields a shard's records with these columns, serialised.

    A record of at most `WHOLE` bytes is yielded whole, after its checksum is verified.
    A larger one has only the requested columns; its checksum cannot be verified.

    Raises:
        UserError: names shard and record number where the file is damaged.
    """
    names = {name.encode() for name in columns}
    reader = ShardReader(path, BUFFER)
    with named_errors("read", path):
        for number, (offset, length) in enumerate(reader.lengths()):
            record = None
            with suppress(ValueError):
                record = length and _record(reader.file, offset, length, names)
            if not record:
                raise UserError(f"{path}: record {number} is damaged")
            yield record


def _record(file: BinaryIO, place: int, length: int, names: set[bytes]) -> bytes | None:
    """Reads a record at `place`, after its length; None if it is damaged.

    Raises:
        ValueError: its bytes are no record of columns.
    """
    if length <= WHOLE:
        return read_body(file, length)
    start = place + HEADER_BYTES
    end = start + length
    kept = b"".join(_entries(file, start, end, names))
    file.seek(end)
    return field(1, kept) if len(file.read(CHECKSUM.size)) == CHECKSUM.size else None


def _entries(
    file: BinaryIO, place: int, end: int, names: set[bytes]
) -> Iterator[bytes]:
    """Yields the entries of the requested columns."""
    head, size = read_head(file.read(HEAD), 0, 1)
    place += head
    if place + size != end:
        raise ValueError("features of another length than the record")
    while place < end:
        file.seek(place)
        data = file.read(HEAD)
        inside, size = read_head(data, 0, 1)
        key, key_size = read_head(data, inside, 1)
        if data[key : key + key_size] in names:
            yield data[: inside + size] + file.read(max(inside + size - len(data), 0))
        place += inside + size
    if place != end:
        raise ValueError("a column that ends beyond the record")
