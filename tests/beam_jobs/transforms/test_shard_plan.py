"""Which shard a photo goes to: by a hash, or by its place in a container."""

from collections import Counter

from beam_jobs.elements import Photo, Plan, ShardRange, SourceFile
from beam_jobs.transforms.shard_plan import order_in_shard, plan_shards, shard_of
from records.format import sharding

SIZES = {
    ("train", "b.tar"): 7,
    ("train", ""): 4,
    ("train", "a.tar"): 3,
    ("dev", "a.tar"): 1,
}


def plan(sizes, per_shard=3) -> Plan:
    shards, ranges = plan_shards(sizes, per_shard)
    return Plan((), shards, sum(sizes.values()), ranges=ranges)


def member(container: str, place: int, extent: int = 70) -> SourceFile:
    return SourceFile("p", container, 9, 1.0, place, extent)


def test_a_container_has_shards_of_its_own():
    shards, ranges = plan_shards(SIZES, 3)
    assert shards == {"dev": 1, "train": 6}
    assert ranges == {
        "dev": {"a.tar": ShardRange(0, 1)},
        "train": {"a.tar": ShardRange(2, 1), "b.tar": ShardRange(3, 3)},
    }


def test_a_shard_is_a_range_of_its_container():
    places = range(0, 70, 10)
    found = [shard_of("p", "train", member("b.tar", p), plan(SIZES)) for p in places]
    assert found == [3, 3, 3, 4, 4, 5, 5]
    assert shard_of("p", "train", member("b.tar", 90), plan(SIZES)) == 5
    assert shard_of("p", "dev", member("a.tar", 69), plan(SIZES)) == 0


def test_files_of_their_own_go_to_the_first_shards():
    names = [f"{i}.jpg" for i in range(100)]
    files = {name: SourceFile(name, name, 9, 1.0) for name in names}
    for sizes in (SIZES, {("train", ""): 4}):
        found = [shard_of(n, "train", f, plan(sizes)) for n, f in files.items()]
        assert found == [sharding.shard_of(name, 2) for name in names]
        assert set(Counter(found)) == {0, 1}


def test_members_stand_in_stored_order_and_files_in_that_of_their_hash():
    files = [member("b.tar", 3), member("b.tar", 20), member("a.tar", 30)]
    photos = [Photo(f"{i}", "train", file, ()) for i, file in enumerate(files)]
    assert [p.photo_id for p in sorted(photos, key=order_in_shard)] == ["2", "0", "1"]
    file = SourceFile("a", "a", 9, 1.0)
    key = order_in_shard(Photo("a", "train", file, ()))
    assert key == sharding.order_in_shard("a")
