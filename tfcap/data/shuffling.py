"""In which order an epoch reads the photos: a function of (seed, epoch) alone.

Shards come in a random order, a window of some of them at a time, and a window's photos
in a random order: which photo is in which shard is a matter of hashes, so that a window
is a sample of the whole.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from records.format.record_set import RecordSet
from tfcap.config.training import TrainingConfig


class PhotoOrder(NamedTuple):
    """What is left of an epoch; of several, with a first axis for them.

    Attributes:
        windows: shards of the split, by number, int64 [windows, shards], ragged.
        seeds: of the order within each window, int64 [windows].
        skip: photos of the first window that are left out, int64.
        photos: how many come, int64.
        epoch: from 0, int32.
    """

    windows: tf.RaggedTensor
    seeds: tf.Tensor | tf.RaggedTensor
    skip: tf.Tensor
    photos: tf.Tensor
    epoch: tf.Tensor

    @classmethod
    def of_epoch(
        cls,
        records: RecordSet,
        split: str,
        config: TrainingConfig,
        epoch: int,
        skip: int = 0,
    ) -> "PhotoOrder":
        """The first `skip` photos of the epoch, from 0, left out.

        What lies before the window of the first photo asked for is not read.
        """
        random = np.random.default_rng([config.seed, epoch])
        held = np.array([shard.photos for shard in records.manifest.shards[split]])
        photos, order = int(held.sum()), random.permutation(len(held))
        size = max(config.shuffle_photos * len(held) // photos, 1)
        starts = np.arange(0, len(held), size)
        seeds = random.integers(2**31, size=len(starts))
        ends = np.cumsum(np.add.reduceat(held[order], starts))
        first = int(np.searchsorted(ends, skip, "right"))
        skip_in_window = skip - int(ends[first - 1]) if first else skip
        splits = np.append(starts, len(held))[first:]
        windows = tf.RaggedTensor.from_row_splits(
            order[splits[0] :], splits - splits[0], validate=False
        )
        return cls(
            windows,
            tf.constant(seeds[first:], tf.int64),
            tf.constant(skip_in_window, tf.int64),
            tf.constant(max(photos - skip, 0), tf.int64),
            tf.constant(epoch, tf.int32),
        )

    @classmethod
    def stack(cls, orders: Sequence["PhotoOrder"]) -> "PhotoOrder":
        """Several epochs, tensors [epochs, ...]."""
        windows, seeds, *numbers = zip(*orders)
        return cls(
            tf.ragged.stack(windows), tf.ragged.stack(seeds), *map(tf.stack, numbers)
        )

    def read(self, paths: tf.Tensor, buffer: int) -> tf.data.Dataset:
        """Reads the photos' records, serialised.

        Sets TensorFlow's global seed, as making a model does.

        Args:
            paths: of all shards of the split, string [shards].
            buffer: photos in memory at once, to be shuffled.
        """
        # `shuffle` mixes TensorFlow's global seed into its own; 0 it takes for none.
        tf.random.set_seed(1)

        def window(shards: tf.Tensor, seed: tf.Tensor) -> tf.data.Dataset:
            photos = tf.data.TFRecordDataset(tf.gather(paths, shards))
            return photos.shuffle(buffer, seed, reshuffle_each_iteration=False)

        windows = tf.data.Dataset.from_tensor_slices((self.windows, self.seeds))
        return windows.flat_map(window).skip(self.skip)
