"""Records read by their place, and what damage costs."""

import os

import pytest
import tensorflow as tf

from records.errors import UserError
from records.format.shard_reader import ShardReader

RECORDS = [b"first", b"", b"the third" * 100, b"last"]
STARTS = [0, 21, 37, 953]


@pytest.fixture
def shard(tmp_path) -> str:
    path = str(tmp_path / "shard")
    with tf.io.TFRecordWriter(path) as writer:
        for record in RECORDS:
            writer.write(record)
    return path


def damage(path: str, at: int) -> None:
    with open(path, "r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def entries(path: str) -> list[tuple[int, bytes | None]]:
    return list(ShardReader(path).entries())


def test_records_come_with_their_offsets(shard):
    assert entries(shard) == list(zip(STARTS, RECORDS))


def test_records_are_read_in_any_order(shard):
    reader = ShardReader(shard)
    for i in (3, 0, 2, 1, 0):
        assert reader.read(STARTS[i]) == RECORDS[i]


def test_an_empty_shard(tmp_path):
    (tmp_path / "shard").write_bytes(b"")
    assert entries(str(tmp_path / "shard")) == []


@pytest.mark.parametrize("offset", [1, 10**6])
def test_where_no_record_begins(shard, offset):
    with pytest.raises(UserError, match=rf"shard: no whole record at byte {offset}"):
        ShardReader(shard).read(offset)


@pytest.mark.parametrize("at", [37 + 12, 37 + 12 + 900])  # the record; its checksum
def test_a_damaged_record_costs_only_itself(shard, at):
    damage(shard, at)
    assert entries(shard) == [*zip(STARTS[:2], RECORDS), (37, None), (953, b"last")]
    with pytest.raises(UserError):
        ShardReader(shard).read(37)


@pytest.mark.parametrize("at", [37, 37 + 8])  # the length; its checksum
def test_a_damaged_length_costs_what_follows(shard, at):
    damage(shard, at)
    assert entries(shard) == [*zip(STARTS[:2], RECORDS), (37, None)]


@pytest.mark.parametrize("size", [953 + 5, 953 + 13, 953 + 18])
def test_a_shard_cut_short(shard, size):
    os.truncate(shard, size)
    assert entries(shard) == [*zip(STARTS[:3], RECORDS), (953, None)]


def test_a_shard_that_ends_in_zeros(shard):
    """As a machine leaves it that loses power."""
    with open(shard, "r+b") as file:
        file.seek(37)
        file.write(bytes(4096))
    assert entries(shard) == [*zip(STARTS[:2], RECORDS), (37, None)]


def test_a_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"cannot read .*gone"):
        ShardReader(str(tmp_path / "gone"))
