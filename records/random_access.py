"""Reading single records of a shard, by where they begin in the file.

A shard is a TFRecord file:

    length   uint64, little-endian       8 bytes
    its checksum                         4
    record                               length
    its checksum                         4
"""

import struct
from collections.abc import Iterator

import tensorflow as tf
from tensorflow.python.lib.io.tf_record import tf_record_random_reader

from records.errors import UserError

HEADER = struct.Struct("<QI")
FOOTER_BYTES = 4


class ShardReader:
    """Reads a shard's records in any order; not for several threads at once.

    Raises:
        UserError: the file cannot be opened.
    """

    def __init__(self, path: str):
        self.path = path
        try:
            self._reader = tf_record_random_reader(path)
            self._size = tf.io.gfile.stat(path).length
        except tf.errors.OpError as error:
            raise UserError(f"cannot read {path}: {error.message}") from None

    def read(self, offset: int) -> bytes:
        """The serialised record that begins at `offset`.

        Raises:
            UserError: it does not fit its checksum, or none begins there.
        """
        try:
            return self._reader.read(offset)[0]
        except (tf.errors.OpError, IndexError):
            raise UserError(f"{self.path}: no whole record at byte {offset}") from None

    def entries(self) -> Iterator[tuple[int, bytes | None]]:
        """Yields (offset, record) from the first on; None for a damaged record.

        A damaged record loses only itself, a damaged length all that follows it.
        """
        offset: int | None = 0
        while offset is not None and offset < self._size:
            try:
                record = self.read(offset)
                following = offset + HEADER.size + len(record) + FOOTER_BYTES
            except UserError:
                record, following = None, self._skip(offset)
            yield offset, record
            offset = following

    def _skip(self, offset: int) -> int | None:
        """Where the record after a damaged one begins; None if its length is lost."""
        with tf.io.gfile.GFile(self.path, "rb") as file:
            file.seek(offset)
            header = file.read(HEADER.size)
        if len(header) < HEADER.size:
            return None
        length, checksum = HEADER.unpack(header)
        if checksum != masked_crc32c(header[:8]):
            return None
        return offset + HEADER.size + length + FOOTER_BYTES


def masked_crc32c(data: bytes) -> int:
    """The checksum that TFRecord files use; slow, for a few bytes."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
