"""Reads single records of a shard by their offsets in the file."""

from collections.abc import Iterator

from records.errors import UserError
from records.format.tfrecord import CHECKSUM, HEADER_BYTES, read_body, read_length
from records.storage.files import open_file, reason

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
        try:
            self._file = open_file(path, buffering)
        except OSError as error:
            raise self._unreadable(error) from None

    def read(self, offset: int) -> bytes:
        """Returns the serialised record that begins at `offset`.

        Raises:
            UserError: no record begins there, or it does not fit its checksum.
        """
        _, record = self._record(offset) or (None, None)
        if record is None:
            raise UserError(f"{self.path}: no whole record at byte {offset}")
        return record

    def entries(self) -> Iterator[tuple[int, bytes | None]]:
        """Yields (offset, record) in order; the record is None if it is damaged.

        After a damaged record the next one is read; after a damaged length none is.
        """
        offset: int | None = 0
        while offset is not None and (entry := self._record(offset)):
            next_offset, record = entry
            yield offset, record
            offset = next_offset

    def offsets(self) -> Iterator[int]:
        """Yields the offset of each record; only the lengths of records are read.

        Raises:
            UserError: the file is cut short, or a length does not fit its checksum.
        """
        offset = 0
        try:
            while True:
                self._file.seek(offset)
                length = read_length(self._file)
                if length is None:
                    raise UserError(f"{self.path}: no whole record at byte {offset}")
                yield offset
                offset += HEADER_BYTES + length + CHECKSUM.size
        except EOFError:
            return
        except OSError as error:
            raise self._unreadable(error) from None

    def _record(self, offset: int) -> tuple[int | None, bytes | None] | None:
        """Returns (offset of the next record, record), or None at the end of the file.

        The record is None if it is damaged; both are None if its length is.
        """
        try:
            self._file.seek(offset)
            length = read_length(self._file)
            if length is None:
                return None, None
            record = read_body(self._file, length)
            return self._file.tell(), record
        except EOFError:
            return None
        except OSError as error:
            raise self._unreadable(error) from None

    def _unreadable(self, error: OSError) -> UserError:
        return UserError(f"cannot read {self.path}: {reason(error)}")
