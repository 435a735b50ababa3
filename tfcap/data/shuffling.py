"""Orders the photos of an epoch, as a function of (seed, epoch) alone.

Shards are read in random order, a window of several at a time, and the photos of a
window are shuffled. Where hashes decide which photo is in which shard, a window is a
random sample of all photos. A shard of a container is a stretch of it, so a window is
then a sample of stretches: the shorter they are, the better it is mixed.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from records.format.record_set import RecordSet
from tfcap.config.training import TrainingConfig
from tfcap.data.shard_files import Fetcher, fetch_ahead

NO_SHARD = -1


class PhotoOrder(NamedTuple):
    """The remaining photos of one epoch, or of several, stacked on axis 0.

    Attributes:
        windows: numbers of the split's shards, int64 [windows, shards], padded with
            `NO_SHARD`. TensorFlow logs type errors of data sets of ragged tensors.
        seeds: seed of the shuffle of each window, int64 [windows].
        skip: number of photos to skip in the first window, int64.
        photos: number of remaining photos, int64.
        epoch: number of the epoch, from 0, int32.
    """

    windows: tf.Tensor
    seeds: tf.Tensor
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
        """Draws the order of an epoch and leaves out its first photos.

        Windows before the one that holds the first remaining photo are not read.

        Example: 5 shards of 4 photos, and `shuffle_photos: 8`, so that a window has 2
        shards. The shards are drawn in the order 3 0 4 1 2:

            window           [3 0]   [4 1]   [2]
            photos           8       8       4
            ends             8       16      20

        With `skip` 10 the first window is left out, and 2 photos of the second one:
        `windows` [4 1] [2], `skip` 2, `photos` 10.

        Args:
            records: the record set.
            split: the split.
            config: seed, and number of photos that are shuffled at a time.
            epoch: number of the epoch, from 0.
            skip: number of photos to leave out.
        """
        random = np.random.default_rng([config.seed, epoch])
        shards = np.array([shard.photos for shard in records.manifest.shards[split]])
        photos, order = int(shards.sum()), random.permutation(len(shards))
        size = max(config.shuffle_photos * len(shards) // photos, 1)
        starts = np.arange(0, len(shards), size)
        seeds = random.integers(2**31, size=len(starts))
        ends = np.cumsum(np.add.reduceat(shards[order], starts))
        first = int(np.searchsorted(ends, skip, "right"))
        skip_in_window = skip - int(ends[first - 1]) if first else skip
        splits = np.append(starts, len(shards))[first:]
        windows = tf.RaggedTensor.from_row_splits(
            order[splits[0] :], splits - splits[0], validate=False
        )
        return cls(
            windows.to_tensor(NO_SHARD),
            tf.constant(seeds[first:], tf.int64),
            tf.constant(skip_in_window, tf.int64),
            tf.constant(max(photos - skip, 0), tf.int64),
            tf.constant(epoch, tf.int32),
        )

    @classmethod
    def stack(cls, orders: Sequence["PhotoOrder"]) -> "PhotoOrder":
        """Stacks the orders of several epochs, tensors [epochs, ...]; pads windows."""
        windows, seeds, *numbers = zip(*orders)
        return cls(
            tf.ragged.stack(windows).to_tensor(NO_SHARD),
            tf.ragged.stack(seeds).to_tensor(),
            *map(tf.stack, numbers),
        )

    def read(
        self, paths: tf.Tensor, buffer: int, fetch: Fetcher | None
    ) -> tf.data.Dataset:
        """Reads the photos' records, serialised.

        Sets TensorFlow's global seed, as building a model does.

        Args:
            paths: paths of all shards of the split, string [shards].
            buffer: number of photos that are held and shuffled at a time.
            fetch: of the record set, `RecordSet.fetcher`.
        """
        # `shuffle` mixes TensorFlow's global seed into its own, and takes 0 for none.
        tf.random.set_seed(1)

        def window(shards: tf.Tensor, seed: tf.Tensor) -> tf.data.Dataset:
            shards = tf.boolean_mask(shards, shards != NO_SHARD)
            photos = tf.data.TFRecordDataset(tf.gather(paths, shards))
            return photos.shuffle(buffer, seed, reshuffle_each_iteration=False)

        windows = tf.data.Dataset.from_tensor_slices((self.windows, self.seeds))
        windows = fetch_ahead(windows, fetch)
        return windows.flat_map(window).skip(self.skip)
