"""Records by their numbers in a split."""

import pytest

from records.errors import UserError
from records.format import numbered_records
from records.format.numbered_records import read_numbered
from records.format.record_set import RecordSet, read_shard


@pytest.fixture
def records(record_set):
    return RecordSet.open(str(record_set))


@pytest.mark.parametrize("numbers", [[], [0], [2, 3, 11], range(12)])
def test_they_are_those_asked_for(records, numbers):
    paths = records.shard_paths("train")
    every = [record for path in paths for record in read_shard(path)]
    assert list(read_numbered(records, "train", numbers)) == [every[i] for i in numbers]


def test_shards_without_any_are_not_read(records, monkeypatch):
    opened = []

    def opening(path, buffering, reader=numbered_records.ShardReader):
        opened.append(path)
        return reader(path, buffering)

    monkeypatch.setattr(numbered_records, "ShardReader", opening)
    list(read_numbered(records, "train", [11]))
    assert opened == records.shard_paths("train")[-1:]


def test_one_that_is_missing(records, record_set):
    path = records.shard_paths("train")[0]
    with open(path, "r+b") as file:
        file.truncate(0)
    with pytest.raises(UserError, match="tfrecord: record 0 is missing"):
        list(read_numbered(records, "train", [0]))


def test_one_that_is_cut_short(records, record_set):
    path = records.shard_paths("train")[0]
    with open(path, "r+b") as file:
        file.truncate(50)
    with pytest.raises(UserError, match="no whole record at byte 0"):
        list(read_numbered(records, "train", [0]))
