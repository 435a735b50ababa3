"""Writes one shard, whole or not at all."""

import hashlib
import os

from records.format import schema
from records.format.manifest import ShardInfo
from records.format.tfrecord import frame
from records.storage.files import named_errors, new_file


class ShardWriter:
    """A writer of records, whose shard exists only after `close`.

    Used as a context manager it leaves nothing when the body ends without `close`. So a
    file with a shard's name is always whole.

    >>> import numpy as np
    >>> from records import PhotoRecord, ShardWriter
    >>> features = np.zeros([2048], np.float32)
    >>> record = PhotoRecord("a.jpg", bytes(32), features, ("a dog",), ((1, 4, 5, 2),))
    >>> with ShardWriter("data", "train-00000-of-00001.tfrecord") as writer:
    ...     writer.write(record)
    ...     shard = writer.close()
    >>> shard.photos, shard.captions
    (1, 1)

    Raises:
        UserError: the file cannot be written (no space, no permission).
    """

    def __init__(self, directory: str, name: str):
        self.path = os.path.join(directory, name)
        self._photos = self._captions = self._bytes = 0
        self._digest = hashlib.sha256()
        with named_errors("write", self.path):
            self._file = new_file(self.path)

    def write(self, record: schema.PhotoRecord) -> None:
        framed = frame(schema.encode(record))
        with named_errors("write", self.path):
            self._file.write(framed)
        self._digest.update(framed)
        self._bytes += len(framed)
        self._photos += 1
        self._captions += len(record.captions)

    def close(self) -> ShardInfo:
        """Puts the shard in its place and returns what it holds."""
        with named_errors("write", self.path):
            self._file.finish()
        return ShardInfo(
            name=os.path.basename(self.path),
            photos=self._photos,
            captions=self._captions,
            bytes=self._bytes,
            sha256=self._digest.hexdigest(),
        )

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.discard()
