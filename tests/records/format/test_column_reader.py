"""Columns read alone: what they hold, how little is read, and what is refused."""

import io

import numpy as np
import pytest
import tensorflow as tf

from records.errors import UserError
from records.format import column_reader, schema, shard_reader
from records.format.column_reader import read_columns
from records.format.protobuf_wire import field, read_head, varint
from records.format.record_set import read_shard
from records.format.schema import PhotoRecord, encode
from records.format.tfrecord import frame

WANTED = schema.PHOTO_ID, schema.TEXT


def record(name: str, channels: int, encoded: bytes | None = None) -> PhotoRecord:
    features = np.arange(channels, dtype=np.float32)
    ids = (1, 4, 300, 2), (1, 2)
    return PhotoRecord(name, b"d" * 32, features, ("a dog", "é"), ids, encoded)


@pytest.fixture
def shard(tmp_path):
    """Returns the function that writes records, and gives the path."""

    def write(*records: PhotoRecord) -> str:
        path = tmp_path / "train-00000-of-00001.tfrecord"
        path.write_bytes(b"".join(frame(encode(one)) for one in records))
        return str(path)

    return write


class CountedFile(io.FileIO):
    """Counts the bytes read of all such files."""

    total = 0

    def readinto(self, buffer):
        count = super().readinto(buffer)
        CountedFile.total += count
        return count


@pytest.fixture
def counted(monkeypatch):
    """Counts in `CountedFile.total` the bytes read from files."""

    def open_file(path, buffering):
        return io.BufferedReader(CountedFile(path), buffering)

    monkeypatch.setattr(CountedFile, "total", 0)
    monkeypatch.setattr(shard_reader, "open_file", open_file)
    return CountedFile


@pytest.mark.parametrize("encoded", [None, b"photo" * 10_000])
def test_of_large_records_the_columns_asked_for_come_alone(shard, encoded):
    records = [record(f"{i}.jpg", 10_000, encoded) for i in range(3)]
    found = list(read_columns(shard(*records), WANTED))
    for serialized, whole in zip(found, records, strict=True):
        held = tf.train.Example.FromString(serialized).features.feature
        assert set(held) == set(WANTED)
        assert schema.decode_texts(serialized) == (whole.photo_id, whole.captions)


def test_small_records_come_whole(shard):
    path = shard(record("a.jpg", 8), record("b.jpg", 8))
    assert list(read_columns(path, WANTED)) == list(read_shard(path))


def test_large_features_are_not_read(shard, counted):
    path = shard(*[record(f"{i}.jpg", 50_000) for i in range(20)])
    assert len(list(read_columns(path, WANTED))) == 20
    assert counted.total < 20 * 3 * column_reader.BUFFER < 20 * 200_000 / 8


@pytest.mark.parametrize("channels", [8, 10_000])
@pytest.mark.parametrize("cut", [1, 20, 90])
def test_a_cut_file_names_shard_and_record(shard, channels, cut):
    path = shard(*[record(f"{i}.jpg", channels) for i in range(3)])
    with open(path, "r+b") as file:
        file.truncate(file.seek(0, io.SEEK_END) - cut)
    found = read_columns(path, WANTED)
    next(found), next(found)
    with pytest.raises(UserError, match=r"tfrecord: record 2 is damaged"):
        next(found)


def test_a_flipped_bit_of_a_small_record_shows(shard):
    path = shard(record("a.jpg", 8))
    with open(path, "r+b") as file:
        file.seek(60)
        (byte,) = file.read(1)
        file.seek(60)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(UserError, match="record 0 is damaged"):
        list(read_columns(path, WANTED))


@pytest.mark.parametrize(
    "content", [b"\xff" * 20_000, field(1, b"\x0a" * 20_000), field(2, b"x" * 20_000)]
)
def test_what_is_no_record_of_columns_is_damaged(tmp_path, content):
    path = tmp_path / "shard"
    path.write_bytes(frame(content))
    with pytest.raises(UserError, match="record 0 is damaged"):
        list(read_columns(str(path), WANTED))


def test_a_missing_file_is_named():
    with pytest.raises(UserError, match="cannot read nowhere: No such file"):
        list(read_columns("nowhere", WANTED))


@pytest.mark.parametrize("size", [0, 127, 128, 20_000, 1 << 31])
def test_a_number_of_the_wire_format(size):
    assert read_head(b"\x0a" + varint(size), 0, 1) == (1 + len(varint(size)), size)
