"""Which shard a photo goes to, where it stands in it, and what the shard is called."""

import hashlib
import re
from collections.abc import Iterable

from records.errors import UserError

SPLITS = ("train", "dev", "test")
SHARD_NAME = re.compile(
    r"(?P<split>[a-z]+)-(?P<index>\d{5})-of-(?P<count>\d{5})\.tfrecord"
)
SALT = b"tfcap records 1:"


def shard_name(split: str, index: int, count: int) -> str:
    """`train-00000-of-00016.tfrecord`."""
    return f"{split}-{index:05d}-of-{count:05d}.tfrecord"


def in_order(splits: Iterable[str]) -> list[str]:
    """train, dev, test: `dataset.json` has them by the alphabet."""
    return sorted(splits, key=lambda split: (*SPLITS, split).index(split))


def parse_shard_name(name: str) -> tuple[str, int, int]:
    """The inverse of `shard_name`: (split, index, count)."""
    match = SHARD_NAME.fullmatch(name)
    if not match:
        raise UserError(
            f"{name!r} is no shard name; expected train-00000-of-00016.tfrecord"
        )
    return match["split"], int(match["index"]), int(match["count"])


def photo_hash(photo_id: str) -> int:
    """A salted 128-bit hash: the same in every process, unlike `hash()`.

    The salt keeps the order unrelated to any other use of MD5 of the file name.
    """
    return int.from_bytes(hashlib.md5(SALT + photo_id.encode()).digest(), "big")


def shard_of(photo_id: str, count: int) -> int:
    """The shard, of `count`, that a photo goes to."""
    return photo_hash(photo_id) % count


def order_in_shard(photo_id: str) -> tuple[int, str]:
    """Photos stand in their shard in the order of this key."""
    return photo_hash(photo_id), photo_id


def shard_count(photos: int, photos_per_shard: int) -> int:
    """How many shards a split of `photos` photos is cut into."""
    return -(-photos // photos_per_shard)
