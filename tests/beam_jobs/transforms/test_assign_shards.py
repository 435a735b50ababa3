"""Which shard a photo falls into, and shards without a photo."""

from beam_jobs.elements import Plan
from beam_jobs.transforms.assign_shards import CutIntoShards, every_shard
from beam_jobs.transforms.spill import read_blocks, write_blocks


def test_photos_go_to_the_shard_their_name_says(tmp_path):
    plan = Plan((), {"train": 4, "dev": 2}, 1)
    names = ("1000268201_693b08cb0e.jpg", "a.jpg", "b.jpg", "c.jpg")
    photos = [[name, "train", [name, name, 9, 1.0], "content", None] for name in names]
    photos.append(["a.jpg", "dev", ["a.jpg", "a.jpg", 9, 1.0], "", None])
    ((_, block),) = write_blocks(str(tmp_path), {"photos": photos})
    cut = dict(CutIntoShards(str(tmp_path)).process(block, plan))
    assert set(cut) <= {shard for shard, _ in every_shard(None, plan)}
    assert photos[0] in read_blocks([cut["train", 0]])
    assert sorted(read_blocks(cut.values())) == sorted(photos)


def test_every_shard_of_the_plan_is_there_with_no_block():
    plan = Plan((), {"train": 2, "dev": 1}, 3)
    assert every_shard(None, plan) == [
        (("train", 0), None),
        (("train", 1), None),
        (("dev", 0), None),
    ]
