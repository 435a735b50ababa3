"""Which shard a photo falls into, and shards without a photo."""

from beam_jobs.elements import Plan
from beam_jobs.sharding import assign_shard, empty_shards


def test_photos_go_to_the_shard_their_name_says():
    plan = Plan((), {"train": 4}, 1)
    photo = ("1000268201_693b08cb0e.jpg", "train", b"content")
    assert assign_shard(photo, plan) == (("train", 0), b"content")


def test_shards_that_no_photo_falls_into_are_listed():
    plan = Plan((), {"train": 2, "dev": 1}, 3)
    assert empty_shards(plan, []) == [
        (("train", 0), []),
        (("train", 1), []),
        (("dev", 0), []),
    ]
    assert empty_shards(plan, [("train", 1), ("dev", 0)]) == [(("train", 0), [])]
