"""Which shard a photo falls into, and shards without a photo."""

from beam_jobs.elements import Photo, PhotoFile, Plan
from beam_jobs.packing import unpack
from beam_jobs.sharding import assign_shard, empty_shards


def test_photos_go_to_the_shard_their_name_says():
    plan = Plan((), {"train": 4}, 1)
    file = PhotoFile("1.jpg", "photos/1.jpg", 9, 1.0)
    photo = Photo("1000268201_693b08cb0e.jpg", "train", file, ())
    shard, packed = assign_shard(photo, plan)
    assert (shard, unpack(packed)) == (("train", 0), photo)


def test_shards_that_no_photo_falls_into_are_listed():
    plan = Plan((), {"train": 2, "dev": 1}, 3)
    assert empty_shards(plan, []) == [
        (("train", 0), []),
        (("train", 1), []),
        (("dev", 0), []),
    ]
    assert empty_shards(plan, [("train", 1), ("dev", 0)]) == [(("train", 0), [])]
