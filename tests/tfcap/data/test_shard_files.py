"""Batches of remote records are those of local ones, through copies of their shards."""

import os
from pathlib import Path

import fsspec
import numpy as np
import pytest

from records.errors import UserError
from records.format.caption_reader import read_ids, read_texts
from records.format.numbered_records import read_numbered
from records.format.record_set import RecordSet
from records.storage import registry
from records.storage.cache import FileCache
from tfcap.config.training import TrainingConfig
from tfcap.data.pipeline import photo_batches, scoring_batches, training_batches

CONFIG = TrainingConfig(global_batch=4, seed=3, shuffle_photos=16, expansion="causal")
DIRECTORY = "memory://bucket/records"


@pytest.fixture
def local(make_records, monkeypatch) -> RecordSet:
    """A record set of 12 shards of training photos, and its copy in a store."""
    records = make_records({"train": 90, "dev": 7})
    monkeypatch.setattr(registry, "_remote", None)
    files = fsspec.filesystem("memory")
    for path in Path(records.directory).iterdir():
        files.pipe_file(f"/bucket/records/{path.name}", path.read_bytes())
    yield records
    files.rm("/", recursive=True)


@pytest.fixture
def remote(local, tmp_path) -> RecordSet:
    """A cache with room for half of the shards: three windows of two."""
    largest = max(shard.bytes for shard in local.manifest.shards["train"])
    cache = FileCache(str(tmp_path / "cache"), 6 * largest / 10**9)
    return RecordSet.open(DIRECTORY, cache)


def same(first, second) -> bool:
    first, second = list(first), list(second)
    return len(first) == len(second) > 0 and all(
        np.array_equal(a[name], b[name]) for a, b in zip(first, second) for name in a
    )


def test_batches_are_equal(local, remote):
    for epoch, skip in ((0, 0), (2, 3)):
        epochs = (
            training_batches(r, CONFIG, epoch, skip, epochs=2) for r in (local, remote)
        )
        assert same(*epochs)
    assert same(*(scoring_batches(r, "dev", CONFIG) for r in (local, remote)))
    assert same(*(photo_batches(r, "dev", 3) for r in (local, remote)))


def test_captions_and_single_records_are_equal(local, remote):
    assert list(read_texts(remote, "train")) == list(read_texts(local, "train"))
    assert same([read_ids(remote, "dev")._asdict()], [read_ids(local, "dev")._asdict()])
    numbered = [list(read_numbered(r, "train", [1, 7, 20])) for r in (local, remote)]
    assert numbered[0] == numbered[1] and len(numbered[0]) == 3
    first, *_ = remote.records("train")
    assert first.photo_id == next(local.records("train")).photo_id


def test_only_shards_that_are_read_are_fetched(remote, tmp_path):
    list(read_numbered(remote, "train", [0]))
    (copy,) = {*os.listdir(tmp_path / "cache")} - {"lock"}
    assert copy == remote.manifest.shards["train"][0].sha256


def test_a_shard_that_is_gone_is_a_sentence(remote):
    name = remote.manifest.shards["dev"][-1].name
    fsspec.filesystem("memory").rm_file(f"/bucket/records/{name}")
    with pytest.raises(UserError, match=f"{DIRECTORY}/{name} is missing; the manifest"):
        list(photo_batches(remote, "dev", 3))


def test_a_local_record_set_has_neither_cache_nor_fetcher(local):
    assert local.cache is None and local.fetcher("train") is None
    assert local.failure is None
