"""Which windows of shards an epoch reads, and what is left of them after a resume."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from tfcap.config.training import TrainingConfig
from tfcap.data.shuffling import PhotoOrder

PHOTOS = [5, 3, 4, 1, 6, 2, 3]  # of each shard
CONFIG = TrainingConfig(expansion="causal", seed=3, shuffle_photos=8)
SHARDS = 2  # 8 of 24 photos, of 7 shards


@pytest.fixture(scope="module")
def records():
    """As much of a record set as an order looks at."""
    shards = {"train": [SimpleNamespace(photos=photos) for photos in PHOTOS]}
    return SimpleNamespace(manifest=SimpleNamespace(shards=shards))


def of_epoch(records, epoch: int, skip: int = 0) -> PhotoOrder:
    return PhotoOrder.of_epoch(records, "train", CONFIG, epoch, skip)


@pytest.mark.parametrize("skip", [0, 1, 6, 7, 8, 14, 20, 23, 24])
def test_windows_are_cut_from_a_permutation_of_the_shards(records, skip):
    random = np.random.default_rng([CONFIG.seed, 5])
    shards = random.permutation(len(PHOTOS)).tolist()
    left = [shards[i : i + SHARDS] for i in range(0, len(shards), SHARDS)]
    seeds = random.integers(2**31, size=len(left)).tolist()
    over = skip
    while left and over >= sum(PHOTOS[shard] for shard in left[0]):
        over -= sum(PHOTOS[shard] for shard in left.pop(0))
        seeds.pop(0)
    order = of_epoch(records, 5, skip)
    assert order.windows.to_list() == left
    assert order.seeds.numpy().tolist() == seeds
    assert (int(order.skip), int(order.photos)) == (over, sum(PHOTOS) - skip)


def test_epochs_lie_side_by_side(records):
    orders = [of_epoch(records, 0, 9), of_epoch(records, 1)]
    stacked = PhotoOrder.stack(orders)
    assert stacked.windows.to_list() == [order.windows.to_list() for order in orders]
    assert stacked.epoch.numpy().tolist() == [0, 1]
    assert {stacked.windows.dtype, stacked.windows.row_splits.dtype} == {tf.int64}
