import hashlib
import os
import re

import pytest

from records.errors import UserError
from records.format.record_set import read_shard
from records.format.schema import encode
from records.format.shard_writer import ShardWriter

NAME = "train-00000-of-00001.tfrecord"


def write(directory, records) -> tuple:
    with ShardWriter(str(directory), NAME) as writer:
        for record in records:
            writer.write(record)
        return writer.close()


def test_what_close_returns(tmp_path, make_record):
    records = [make_record(f"{i}.jpg") for i in range(3)]
    info = write(tmp_path, records)
    content = (tmp_path / NAME).read_bytes()
    assert (info.name, info.photos, info.captions) == (NAME, 3, 6)
    assert info.bytes == len(content)
    assert info.sha256 == hashlib.sha256(content).hexdigest()
    assert list(read_shard(str(tmp_path / NAME))) == [encode(r) for r in records]


def test_the_bytes_of_a_shard_never_change(tmp_path, make_record):
    # Without features: these are drawn, and NumPy may come to draw others.
    records = [make_record(f"{i}.jpg", shape=(0,)) for i in range(3)]
    assert (
        write(tmp_path, records).sha256
        == "b375e7b84ce7dadc010685275ba5ca829ee2751f30a420bd823090e01c3cc518"
    )


def test_an_empty_shard_is_a_file(tmp_path):
    info = write(tmp_path, [])
    assert (info.photos, info.captions, info.bytes) == (0, 0, 0)
    assert list(read_shard(str(tmp_path / NAME))) == []


def test_nothing_bears_the_name_before_close(tmp_path, make_record):
    with ShardWriter(str(tmp_path), NAME) as writer:
        writer.write(make_record())
        assert [name[0] for name in os.listdir(tmp_path)] == ["."]
        writer.close()
    assert os.listdir(tmp_path) == [NAME]


def test_a_body_that_fails_leaves_no_file(tmp_path, make_record):
    with pytest.raises(KeyError), ShardWriter(str(tmp_path), NAME) as writer:
        writer.write(make_record())
        raise KeyError("photo")
    assert os.listdir(tmp_path) == []


def test_a_body_that_does_not_close_leaves_no_file(tmp_path, make_record):
    with ShardWriter(str(tmp_path), NAME) as writer:
        writer.write(make_record())
    assert os.listdir(tmp_path) == []


def test_a_body_that_fails_leaves_the_finished_shard(tmp_path, make_record):
    write(tmp_path, [make_record()])
    before = (tmp_path / NAME).read_bytes()
    with pytest.raises(KeyError), ShardWriter(str(tmp_path), NAME):
        raise KeyError("photo")
    assert os.listdir(tmp_path) == [NAME]
    assert (tmp_path / NAME).read_bytes() == before


def test_a_shard_is_replaced(tmp_path, make_record):
    write(tmp_path, [make_record("old.jpg")] * 9)
    write(tmp_path, [make_record("new.jpg")])
    assert len(list(read_shard(str(tmp_path / NAME)))) == 1


@pytest.mark.parametrize("place", ["file", "not/there"])
def test_a_place_that_cannot_be_written(tmp_path, place):
    (tmp_path / "file").write_text("no directory")
    path = re.escape(str(tmp_path / place / NAME))
    with pytest.raises(UserError, match=f"cannot write {path}: "):
        write(tmp_path / place, [])


def test_a_rename_that_fails_leaves_no_temporary_file(tmp_path, make_record):
    (tmp_path / NAME / "full").mkdir(parents=True)
    with pytest.raises(UserError, match="cannot write"):
        write(tmp_path, [make_record()])
    assert os.listdir(tmp_path) == [NAME]


@pytest.mark.parametrize("photos", [1, 1000])
def test_no_space_is_a_users_error(tmp_path, make_record, photos):
    """Found by a write of its own or, of few bytes, when the file is closed."""
    with (
        pytest.raises(UserError, match=f"{NAME}: No space left on device"),
        ShardWriter(str(tmp_path), NAME) as writer,
    ):
        writer._file.file.close()
        writer._file.file = open("/dev/full", "wb")  # noqa: SIM115
        for _ in range(photos):
            writer.write(make_record())
        writer.close()
    assert os.listdir(tmp_path) == []
