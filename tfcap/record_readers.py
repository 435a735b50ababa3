"""Two ways to read records into tensors: TensorFlow's operations, or our own in C++.

Both give the same photos in the same order, byte for byte. Ours takes less than half
the time: it finds the places of a window's records, mixes these, and reads each record
straight into its batch. So it needs a disk that can be read at any place, which an
object store cannot in good time, and a compiler; TensorFlow's way does without both.
"""

from pathlib import Path
from types import ModuleType
from typing import Protocol

import tensorflow as tf

from records import compiled, schema
from records.reader import RecordSet
from records.storage import is_remote
from records.vocabulary import PAD_ID
from tfcap.expansions import EXPANSIONS

SOURCES = compiled.PHOTO_READER, Path(__file__).with_name("caption_rows.cc")


class Reader(Protocol):
    """Reads one split.

    Attributes:
        nothing: a batch of no photo, as `photos` would give it.
        ahead: batches that wait to be parsed while a window of shards is begun.
    """

    nothing: tf.Tensor
    ahead: int

    def photos(self, shards: tf.Tensor) -> tf.data.Dataset:
        """What stands for each photo of shards, int64 [shards], in stored order."""

    def parse(self, photos: tf.Tensor) -> dict[str, tf.Tensor]:
        """Reads a batch of them.

        Returns:
            `features` [photos, ...] as they are stored; of each caption its `photo`,
            int32 [captions], and its `tokens`, int32 [captions, longest], padded on the
            right with 0, 2 wide at least.
        """

    def expand(
        self, expansion: str, photo: tf.Tensor, tokens: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Captions to rows, as `expansions` says."""


def reader_of(
    records: RecordSet, split: str, elsewhere: bool = False, with_photos: bool = False
) -> Reader:
    """The fastest that can do it.

    Args:
        elsewhere: read by a process that has not loaded our operations.
        with_photos: `parse` gives `photo_id` and `encoded` as well, string [photos], of
            records that keep their photos.

    Raises:
        UserError: the split holds no photo.
    """
    if not (elsewhere or with_photos or is_remote(records.directory)):
        own = own_operations()
        if own:
            return CompiledReader(records, split, *own)
    return TensorFlowReader(records, split, with_photos)


def own_operations() -> list[ModuleType]:
    """The operations of `SOURCES`; none if one of these cannot be had."""
    found: list[ModuleType] = []
    for source in SOURCES:
        operations = compiled.operations(source)
        if operations is None:  # what it said once is enough
            return []
        found.append(operations)
    return found


class TensorFlowReader:
    """A photo is its serialised record, string."""

    ahead = 2  # each has its photos' features

    def __init__(self, records: RecordSet, split: str, with_photos: bool = False):
        self.paths = tf.constant(records.shard_paths(split))
        self.spec, self.with_photos = records.manifest.features, with_photos
        self.nothing = tf.zeros([0], tf.string)

    def photos(self, shards: tf.Tensor) -> tf.data.Dataset:
        return tf.data.TFRecordDataset(tf.gather(self.paths, shards))

    def parse(self, photos: tf.Tensor) -> dict[str, tf.Tensor]:
        parsed = schema.parse_batch(photos, self.spec, self.with_photos)
        photo, tokens = pad(parsed.pop("ids"))
        return {**parsed, "photo": photo, "tokens": tokens}

    def expand(
        self, expansion: str, photo: tf.Tensor, tokens: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        return EXPANSIONS[expansion](photo, tokens)


class CompiledReader:
    """A photo is the place of its record, int64 [3]: shard, byte, length.

    Args:
        reading, expanding: the operations of `SOURCES`.
    """

    ahead = 16

    def __init__(
        self,
        records: RecordSet,
        split: str,
        reading: ModuleType,
        expanding: ModuleType,
    ):
        self.paths = tf.constant(records.shard_paths(split))
        self.spec = records.manifest.features
        self.reading = reading
        self.expansions = {
            "prefix": expanding.tfcap_expand_prefixes,
            "causal": expanding.tfcap_expand_causal,
        }
        self.nothing = tf.zeros([0, 3], tf.int64)

    def photos(self, shards: tf.Tensor) -> tf.data.Dataset:
        places = self.reading.tfcap_index_shards(self.paths, shards)
        return tf.data.Dataset.from_tensor_slices(places)

    def parse(self, photos: tf.Tensor) -> dict[str, tf.Tensor]:
        shape, dtype = self.spec.shape, self.spec.dtype
        columns = self.reading.tfcap_read_photos(self.paths, photos, shape, dtype)
        return columns._asdict()

    def expand(
        self, expansion: str, photo: tf.Tensor, tokens: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        return self.expansions[expansion](photo, tokens)._asdict()


def pad(ids: tf.RaggedTensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Each caption's photo, int32 [captions], and tokens, int32 [captions, longest].

    Tokens are padded on the right, 2 wide at least: a share may have no caption. Of
    few operations: with captions of a dozen tokens each costs more to start than to do.

    Args:
        ids: ragged int64 [photos, captions, tokens].
    """
    captions = ids.values
    photo = tf.cast(ids.value_rowids(), tf.int32)
    longest = tf.reduce_max(captions.row_lengths())  # of no caption: less than 2
    shape = tf.stack([-1, tf.maximum(longest, 2)])
    tokens = captions.with_values(tf.cast(captions.values, tf.int32))
    return photo, tokens.to_tensor(PAD_ID, shape=shape)
