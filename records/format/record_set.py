"""Opening a record set: whatever does not fit its manifest is refused, by name."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

import tensorflow as tf

from records.errors import UserError
from records.format.manifest import Manifest, ShardInfo, load_manifest
from records.storage.files import file_sizes
from records.text import vocabulary as vocabulary_module
from records.text.vocabulary import Vocabulary

# The operation that failed, which error messages are wrapped in.
TENSORFLOWS_OWN = re.compile(r"\{\{function_node .*?\}\} | \[Op:.*", re.DOTALL)


@dataclass(frozen=True)
class RecordSet:
    """A directory of records that fits its manifest.

    Attributes:
        directory: where it is.
        manifest: its `dataset.json`.
        vocabulary: its `vocabulary.txt`.
    """

    directory: str
    manifest: Manifest
    vocabulary: Vocabulary

    @classmethod
    def open(cls, directory: str) -> "RecordSet":
        """Checks manifest, vocabulary digest and every shard's presence and size.

        Raises:
            UserError: says which of them does not fit.
        """
        manifest = load_manifest(directory)
        vocabulary = check_vocabulary(directory, manifest)
        sizes = file_sizes(directory)
        for shards in manifest.shards.values():
            for shard in shards:
                check_size(directory, shard, sizes.get(shard.name))
        return cls(directory, manifest, vocabulary)

    def shard_paths(self, split: str) -> list[str]:
        """Paths of a split's shards.

        Raises:
            UserError: the split holds no photo; names those that do.
        """
        if not self.manifest.photos(split):
            held = {s: self.manifest.photos(s) for s in self.manifest.shards}
            found = [f"{photos} in {name}" for name, photos in held.items() if photos]
            raise UserError(
                f"{self.directory} has no photo in split {split!r}; it has "
                + (", ".join(found) or "none at all")
            )
        shards = self.manifest.shards[split]
        return [os.path.join(self.directory, shard.name) for shard in shards]


def check_vocabulary(directory: str, manifest: Manifest) -> Vocabulary:
    path = os.path.join(directory, vocabulary_module.FILE_NAME)
    vocabulary = Vocabulary.load(path)
    if vocabulary.digest != manifest.vocabulary_sha256:
        raise UserError(
            f"{path} is not the vocabulary these records were written with: its digest "
            f"is {vocabulary.digest[:12]}…, the manifest says "
            f"{manifest.vocabulary_sha256[:12]}…"
        )
    return vocabulary


def check_size(directory: str, shard: ShardInfo, size: int | None) -> None:
    path = os.path.join(directory, shard.name)
    if size is None:
        raise UserError(f"shard {path} is missing; the manifest lists it")
    if size != shard.bytes:
        raise UserError(
            f"shard {path} has {size} bytes; the manifest says {shard.bytes}. "
            "It is truncated or from another build."
        )


def read_shard(path: str) -> Iterator[bytes]:
    """Yields a shard's serialised records.

    Raises:
        UserError: names shard and record number where the file is damaged.
    """
    records = tf.data.TFRecordDataset(path).as_numpy_iterator()
    number = 0
    while True:
        try:
            serialized = next(records)
        except StopIteration:
            return
        except tf.errors.OpError as error:
            what = TENSORFLOWS_OWN.sub("", error.message)
            raise UserError(f"{path}: record {number} is damaged: {what}") from None
        yield serialized
        number += 1
