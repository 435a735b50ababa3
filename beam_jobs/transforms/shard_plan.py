"""Decides which photos go to which shard, and their order there.

Photos that are files of their own go to the shard that a hash of their id names, and
stand there in the order of the hashes. A container is read in order: its photos of a
split go to shards of their own, each of which takes a range of the container, and they
stand there in stored order.
"""

from collections.abc import Mapping

from beam_jobs.elements import Photo, Plan, ShardRange, SourceFile
from records.format import sharding

Sizes = Mapping[tuple[str, str], int]  # (split, container or "") -> photos
Ranges = dict[str, dict[str, ShardRange]]


def plan_shards(sizes: Sizes, photos_per_shard: int) -> tuple[dict[str, int], Ranges]:
    """Returns the number of shards of each split, and the containers' shards."""
    shards: dict[str, int] = {}
    ranges: Ranges = {}
    for (split, container), photos in sorted(sizes.items()):
        first = shards.get(split, 0)
        count = sharding.shard_count(photos, photos_per_shard)
        shards[split] = first + count
        if container:
            ranges.setdefault(split, {})[container] = ShardRange(first, count)
    return shards, ranges


def shard_of(photo_id: str, split: str, file: SourceFile, plan: Plan) -> int:
    """Returns the index of a photo's shard in its split."""
    ranges = plan.ranges.get(split, {})
    if file.container:
        first, shards = ranges[file.container]
        return first + min(file.place * shards // file.extent, shards - 1)
    hashed = plan.shards[split] - sum(shards for _, shards in ranges.values())
    return sharding.shard_of(photo_id, hashed)


def order_in_shard(photo: Photo) -> tuple:
    """Returns the key by which the photos of a shard are sorted."""
    if photo.file.container:
        return photo.file.container, photo.file.place, photo.photo_id
    return sharding.order_in_shard(photo.photo_id)
