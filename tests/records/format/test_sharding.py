from collections import Counter

import pytest

from records.format.sharding import (
    SHARD_NAME,
    order_in_shard,
    photo_hash,
    shard_count,
    shard_name,
    shard_of,
)


def test_names():
    assert shard_name("train", 0, 16) == "train-00000-of-00016.tfrecord"


@pytest.mark.parametrize(
    "name",
    [
        "dataset.json",
        "train-0-of-1.tfrecord",
        "train-00000-of-00001.tfrecord.tmp",
        ".train-00000-of-00001.tfrecord",
        "x/train-00000-of-00001.tfrecord",
        "train-00000-of-00001.tfrecord\n",
    ],
)
def test_another_name_is_no_shards(name):
    assert SHARD_NAME.fullmatch("train-00003-of-00016.tfrecord")
    assert not SHARD_NAME.fullmatch(name)


@pytest.mark.parametrize(
    ("photo_id", "value"),
    [
        ("1000268201_693b08cb0e.jpg", 0x52458028BAEE7C1537CBC33BD6F58850),
        ("a.jpg", 0x1262CD34CE3E72FDEA251C8E5DE736EC),
        ("Füße.png", 0x1D822BDC6E3AAA73C78D837B92A95688),
    ],
)
def test_hashes_never_change(photo_id, value):
    assert photo_hash(photo_id) == value


def test_photos_spread_evenly_and_stay_in_range():
    held = Counter(shard_of(f"{i}.jpg", 8) for i in range(8000))
    assert sorted(held) == list(range(8))
    assert all(800 < photos < 1200 for photos in held.values())
    assert shard_of("a.jpg", 1) == 0


def test_order_is_by_hash_then_by_name():
    names = [f"{i}.jpg" for i in range(50)]
    ordered = sorted(names, key=order_in_shard)
    assert ordered != names
    assert order_in_shard("a.jpg") == (photo_hash("a.jpg"), "a.jpg")
    assert [order_in_shard(n)[0] for n in ordered] == sorted(map(photo_hash, names))


@pytest.mark.parametrize(
    ("photos", "shards"), [(0, 0), (1, 1), (511, 1), (512, 1), (513, 2), (6000, 12)]
)
def test_shard_count(photos, shards):
    assert shard_count(photos, 512) == shards
