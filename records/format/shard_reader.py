"""Reads single records of a shard by their offsets in the file."""

from collections.abc import Iterator
from contextlib import suppress

from records.errors import UserError
from records.format.tfrecord import CHECKSUM, HEADER_BYTES, read_body, read_length
from records.storage.files import named_errors, open_file

NEAR = 1 << 16


class ShardReader:
    """A reader of a shard's records in any order; not thread-safe.

    Args:
        path: of the shard.
        buffering: bytes read at a time; few for single records, because an object store
            sends them slowly, and more for all records in order.

    Raises:
        UserError: the file cannot be opened or read.
    """

    def __init__(self, path: str, buffering: int = NEAR):
        self.path = path
        with named_errors("read", path):
            self.file = open_file(path, buffering)

    def read(self, offset: int) -> bytes:
        """Returns the serialised record that begins at `offset`.

        Raises:
            UserError: no record begins there, or it does not fit its checksum.
        """
        record = None
        with named_errors("read", self.path), suppress(EOFError):
            self.file.seek(offset)
            length = read_length(self.file)
            record = None if length is None else read_body(self.file, length)
        if record is None:
            raise self.damaged(offset)
        return record

    def entries(self) -> Iterator[tuple[int, bytes | None]]:
        """Yields (offset, record) in order; the record is None if it is damaged.

        After a damaged record the next one is read; after a damaged length none is.
        """
        with named_errors("read", self.path):
            for offset, length in self.lengths():
                record = None if length is None else read_body(self.file, length)
                yield offset, record

    def offsets(self) -> Iterator[int]:
        """Yields the offset of each record; only the lengths of records are read.

        Raises:
            UserError: the file is cut short, or a length does not fit its checksum.
        """
        for offset, length in self.lengths():
            if length is None:
                raise self.damaged(offset)
            yield offset

    def lengths(self) -> Iterator[tuple[int, int | None]]:
        """Yields (offset, length) of each record; the file then stands at its content.

        The last length is None if it is damaged, because nothing after it is found.
        """
        offset = 0
        length: int | None = 0
        with named_errors("read", self.path), suppress(EOFError):
            while length is not None:
                self.file.seek(offset)
                length = read_length(self.file)
                yield offset, length
                offset += HEADER_BYTES + (length or 0) + CHECKSUM.size

    def damaged(self, offset: int) -> UserError:
        return UserError(f"{self.path}: no whole record at byte {offset}")
