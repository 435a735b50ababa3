"""Reading single records of a shard, by where they begin in the file."""

from collections.abc import Iterator

from records.errors import UserError
from records.format.tfrecord import CHECKSUM, HEADER_BYTES, read_body, read_length
from records.storage.files import open_file, reason

NEAR = 1 << 16


class ShardReader:
    """Reads a shard's records in any order; not for several threads at once.

    Args:
        path: of the shard.
        buffering: bytes read at a time: few for single records, as on an object store
            each byte takes its time to come; more for all of them in order.

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
        """The serialised record that begins at `offset`.

        Raises:
            UserError: it does not fit its checksum, or none begins there.
        """
        _, record = self._record(offset) or (None, None)
        if record is None:
            raise UserError(f"{self.path}: no whole record at byte {offset}")
        return record

    def entries(self) -> Iterator[tuple[int, bytes | None]]:
        """Yields (offset, record) from the first on; None for a damaged record.

        A damaged record loses only itself, a damaged length all that follows it.
        """
        offset: int | None = 0
        while offset is not None and (found := self._record(offset)):
            following, record = found
            yield offset, record
            offset = following

    def offsets(self) -> Iterator[int]:
        """Yields where each record begins; of a record only its length is read.

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
        """(where the next begins, record), None for what is damaged; None at the end.

        A record that is cut short is damaged, and nothing follows it.
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
