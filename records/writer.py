"""Writing one shard, all or nothing."""

import os
from contextlib import suppress

import tensorflow as tf

from records import schema
from records.errors import UserError
from records.files import file_digest, remove_if_there, temporary_name
from records.manifest import ShardInfo


class ShardWriter:
    """Writes records under a temporary name; `close` renames it to the shard's own.

    Used as a context manager it removes the temporary file when the body ends without
    `close`, so that whatever bears a shard's name is a whole shard.

    Raises:
        UserError: the file cannot be written (no space, no permission).
    """

    def __init__(self, directory: str, name: str):
        self.path = os.path.join(directory, name)
        self._temporary = temporary_name(self.path)
        self._photos = self._captions = 0
        self._file = self._guarded(tf.io.TFRecordWriter, self._temporary)

    def write(self, record: schema.PhotoRecord) -> None:
        self._guarded(self._file.write, schema.encode(record))
        self._photos += 1
        self._captions += len(record.captions)

    def close(self) -> ShardInfo:
        """Ends the file, renames it and returns what it holds."""
        self._guarded(self._file.close)
        info = ShardInfo(
            name=os.path.basename(self.path),
            photos=self._photos,
            captions=self._captions,
            bytes=tf.io.gfile.stat(self._temporary).length,
            sha256=file_digest(self._temporary),
        )
        self._guarded(tf.io.gfile.rename, self._temporary, self.path, overwrite=True)
        return info

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, *_) -> None:
        # Closed before it is removed: a remote file comes into being when closed.
        with suppress(tf.errors.OpError):
            self._file.close()
        remove_if_there(self._temporary)

    def _guarded(self, call, *args, **kwargs):
        try:
            return call(*args, **kwargs)
        except tf.errors.OpError as error:
            raise UserError(f"cannot write {self.path}: {error.message}") from None
