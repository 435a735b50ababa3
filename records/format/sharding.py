"""Assigns photos to shards, orders them within a shard and names shards."""

import hashlib
import math
import re
from collections.abc import Iterable

SPLITS = ("train", "dev", "test")
SHARD_NAME = re.compile(
    r"(?P<split>[a-z]+)-(?P<index>\d{5})-of-(?P<count>\d{5})\.tfrecord"
)
SALT = b"tfcap records 1:"


def shard_name(split: str, index: int, count: int) -> str:
    """Returns a name such as `train-00000-of-00016.tfrecord`."""
    return f"{split}-{index:05d}-of-{count:05d}.tfrecord"


def in_order(splits: Iterable[str]) -> list[str]:
    """Returns splits in the order train, dev, test, then others."""
    return sorted(splits, key=lambda split: (*SPLITS, split).index(split))


def photo_hash(photo_id: str) -> int:
    """Returns a salted 128-bit hash, equal in every process (unlike `hash()`).

    The salt makes the order independent of other uses of the name's MD5.
    """
    return int.from_bytes(hashlib.md5(SALT + photo_id.encode()).digest(), "big")


def shard_of(photo_id: str, count: int) -> int:
    """Returns the index of a photo's shard, out of `count`."""
    return photo_hash(photo_id) % count


def order_in_shard(photo_id: str) -> tuple[int, str]:
    """Returns the key by which the photos of a shard are sorted."""
    return photo_hash(photo_id), photo_id


def shard_count(photos: int, photos_per_shard: int) -> int:
    """Returns the number of shards of a split."""
    return math.ceil(photos / photos_per_shard)
