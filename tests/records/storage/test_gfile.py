"""Remote files through TensorFlow."""

import os
import uuid

import pytest

from records.errors import UserError
from records.format.manifest import load_manifest
from records.format.shard_reader import ShardReader
from records.format.shard_writer import ShardWriter
from records.storage.base import (
    StorageUserError,
)
from records.storage.files import (
    exists,
    file_digest,
    file_size,
    file_sizes,
    is_directory,
    is_empty,
    make_directory,
    new_file,
    open_file,
    read_file,
    remove_directory,
    remove_if_there,
    write_atomically,
)

NAME = "train-00000-of-00001.tfrecord"


@pytest.fixture
def folder() -> str:
    """In TensorFlow's file system in memory."""
    return f"ram://{uuid.uuid4().hex}"


def test_a_remote_file_is_written_and_replaced_whole(folder):
    make_directory(folder)
    write_atomically(f"{folder}/a", b"first")
    with new_file(f"{folder}/a") as file:
        file.write(b"never finished")
    assert read_file(f"{folder}/a") == b"first"
    write_atomically(f"{folder}/a", b"second")
    assert read_file(f"{folder}/a") == b"second"
    assert file_sizes(folder) == {"a": 6}
    assert file_size(f"{folder}/a") == 6


def test_remote_directories(folder):
    assert is_empty(folder) and not exists(folder)
    make_directory(f"{folder}/inner")
    assert is_directory(folder) and is_empty(f"{folder}/inner")
    write_atomically(f"{folder}/inner/a", b"abc")
    assert file_sizes(folder) == {}
    assert file_sizes(folder, nested=True) == {"inner/a": 3}
    assert not is_empty(folder)
    remove_directory(folder)
    assert not exists(f"{folder}/inner/a")


def test_a_remote_file_that_is_not_there(folder):
    make_directory(folder)
    with pytest.raises(FileNotFoundError):
        read_file(f"{folder}/gone")
    with pytest.raises(FileNotFoundError):
        file_size(f"{folder}/gone")
    remove_if_there(f"{folder}/gone")


def test_a_remote_shard_has_the_bytes_of_a_local_one(folder, tmp_path, make_record):
    make_directory(folder)
    records = [make_record(f"{i}.jpg") for i in range(3)]
    infos = []
    for directory in (folder, str(tmp_path)):
        with ShardWriter(directory, NAME) as writer:
            for record in records:
                writer.write(record)
            infos.append(writer.close())
    assert infos[0] == infos[1]
    assert read_file(f"{folder}/{NAME}") == (tmp_path / NAME).read_bytes()
    assert file_digest(f"{folder}/{NAME}") == infos[0].sha256
    entries = list(ShardReader(f"{folder}/{NAME}").entries())
    assert len(entries) == 3 and None not in dict(entries).values()


@pytest.mark.parametrize(
    "use", [load_manifest, file_sizes, is_directory, make_directory, new_file]
)
def test_a_scheme_that_tensorflow_lacks_is_a_users_error(use):
    with pytest.raises(UserError, match=r"no access to hdfs://.* copy .*hdfs dfs -get"):
        use("hdfs://bucket/records")


def test_a_file_larger_than_is_wanted_is_not_read(tmp_path):
    path = tmp_path / "sparse"
    path.write_bytes(b"abc")
    assert read_file(str(path), 3) == b"abc"
    os.truncate(path, 1 << 40)
    with pytest.raises(StorageUserError, match="larger than 3,000,000 bytes, the most"):
        read_file(str(path), 3_000_000)


def test_reading_in_any_order(folder):
    make_directory(folder)
    write_atomically(f"{folder}/a", bytes(range(200)))
    with open_file(f"{folder}/a", 16) as file:
        for place in (150, 3, 190):
            file.seek(place)
            assert file.read(20) == bytes(range(200))[place : place + 20]
