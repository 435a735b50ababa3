"""Opens a record set after checking its files against its manifest."""

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
        directory: path of the record set.
        manifest: content of `dataset.json`.
        vocabulary: content of `vocabulary.txt`.
    """

    directory: str
    manifest: Manifest
    vocabulary: Vocabulary

    @classmethod
    def open(cls, directory: str) -> "RecordSet":
        """Opens a record set and checks its vocabulary's digest and its shards' sizes.

        Raises:
            UserError: a file is missing or does not fit the manifest; names it.
        """
        manifest = load_manifest(directory)
        vocabulary = check_vocabulary(directory, manifest)
        sizes = file_sizes(directory)
        for shards in manifest.shards.values():
            for shard in shards:
                check_size(directory, shard, sizes.get(shard.name))
        return cls(directory, manifest, vocabulary)

    def shard_paths(self, split: str) -> list[str]:
        """Returns the paths of a split's shards.

        Raises:
            UserError: the split holds no photo; names the splits that do.
        """
        if not self.manifest.photos(split):
            counts = {name: self.manifest.photos(name) for name in self.manifest.shards}
            others = [f"{count} in {name}" for name, count in counts.items() if count]
            raise UserError(
                f"{self.directory} has no photo in split {split!r}; it has "
                + (", ".join(others) or "none at all")
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
        UserError: the file is damaged; names shard and record number.
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
