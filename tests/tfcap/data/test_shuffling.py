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


def shards_of(windows: tf.Tensor) -> list[list[int]]:
    """The shards of each window that has any."""
    lists = [[n for n in shards if n >= 0] for shards in windows.numpy().tolist()]
    return [shards for shards in lists if shards]


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
    assert shards_of(order.windows) == left
    assert order.seeds.numpy().tolist() == seeds
    assert (int(order.skip), int(order.photos)) == (over, sum(PHOTOS) - skip)


def test_epochs_lie_side_by_side(records):
    orders = [of_epoch(records, 0, 9), of_epoch(records, 1)]
    stacked = PhotoOrder.stack(orders)
    assert list(map(shards_of, stacked.windows)) == [
        shards_of(order.windows) for order in orders
    ]
    assert stacked.epoch.numpy().tolist() == [0, 1]
    assert {stacked.windows.dtype, stacked.seeds.dtype} == {tf.int64}


@pytest.mark.parametrize("shuffled", [1, 8, 10**9])
def test_no_window_is_wider_than_the_split(records, shuffled):
    config = CONFIG.model_copy(update={"shuffle_photos": shuffled})
    order = PhotoOrder.of_epoch(records, "train", config, 0)
    assert order.windows.shape[1] <= len(PHOTOS)
    read = [shard for row in shards_of(order.windows) for shard in row]
    assert sorted(read) == list(range(len(PHOTOS)))


def test_no_part_is_ragged_because_tensorflow_logs_type_errors_of_ragged_parts(records):
    stacked = PhotoOrder.stack([of_epoch(records, 0, 9), of_epoch(records, 1)])
    assert not any(isinstance(part, tf.RaggedTensor) for part in stacked)
