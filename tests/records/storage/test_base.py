"""Which storage a path has, and remote files by way of TensorFlow."""

import os
import re
import uuid

import pytest
import tensorflow as tf

from records.errors import UserError
from records.format.manifest import load_manifest
from records.format.shard_reader import ShardReader
from records.format.shard_writer import ShardWriter
from records.storage import registry
from records.storage.base import (
    IN_MEMORY,
    LocalStorage,
    NewRemoteFile,
    StorageUserError,
    Stream,
    temporary_name,
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
from records.storage.gfile import TensorFlowStorage
from records.storage.registry import storage_of

NAME = "train-00000-of-00001.tfrecord"


@pytest.fixture(autouse=True)
def without_beam(monkeypatch):
    """As in a process that has not imported `beam_jobs`."""
    monkeypatch.setattr(registry, "_remote", None)


@pytest.fixture
def folder() -> str:
    """In TensorFlow's file system in memory."""
    return f"ram://{uuid.uuid4().hex}"


@pytest.mark.parametrize("path", ["a/b", "/a/b", "a:b/c", "a:/b", "C:\\a", "://a"])
def test_a_path_without_a_scheme_is_of_this_machine(path):
    assert isinstance(storage_of(path), LocalStorage)


@pytest.mark.parametrize("path", ["gs://a", "s3://a/b", "a+b.c-1://d"])
def test_a_path_with_a_scheme_is_remote(path):
    assert isinstance(storage_of(path), TensorFlowStorage)


def test_temporary_names_are_hidden_beside_and_never_twice():
    names = {temporary_name("gs://bucket/x/train-0.tfrecord") for _ in range(100)}
    assert len(names) == 100
    pattern = re.compile(r"gs://bucket/x/\.train-0\.tfrecord\.[0-9a-f]{8}\.tmp")
    assert all(pattern.fullmatch(name) for name in names)


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
    with pytest.raises(UserError, match=r"no access to s3://.* copy .*aws s3 sync"):
        use("s3://bucket/records")


def test_what_is_sent_is_whole_or_nothing():
    sent = {}

    def send(file, path):
        sent[path] = file.read()

    content = b"x" * (IN_MEMORY + 1)  # more than is kept in memory
    for path, finished in (("a", True), ("b", False)):
        with NewRemoteFile(path, send) as file:
            file.write(content)
            if finished:
                file.finish()
    assert sent == {"a": content}


class _Broken:
    def read(self, size):
        raise tf.errors.UnavailableError(None, None, "the line is dead")

    seek = tell = close = read


def test_errors_of_another_library_while_reading_become_os_errors():
    from records.storage.gfile import plain_errors

    stream = Stream(_Broken(), plain_errors)
    with pytest.raises(OSError, match="the line is dead"):
        stream.read(3)


def test_a_remote_error_says_where_alone_and_what_beside_a_path():
    error = StorageUserError.about("s3://b/a", "Access Denied", refused=True)
    assert str(error) == "s3://b/a: Access Denied"
    assert error.strerror == "Access Denied"
    assert isinstance(error, (UserError, OSError))


@pytest.fixture
def pipe(tmp_path) -> str:
    """To open it for reading would wait for somebody who writes."""
    os.mkfifo(tmp_path / "pipe")
    return str(tmp_path / "pipe")


def test_only_regular_files_are_opened(pipe, tmp_path):
    (tmp_path / "link").symlink_to("pipe")
    for path, kind in (
        (pipe, "pipe"),
        (f"{pipe[:-4]}link", "pipe"),
        ("/dev/zero", "d"),
    ):
        with pytest.raises(StorageUserError, match=rf"{path}: it is a {kind}") as error:
            open_file(path)
        assert error.value.refused and "expected a regular file" in str(error.value)


def test_a_directory_and_nothing_are_told_as_python_does(tmp_path):
    with pytest.raises(IsADirectoryError) as error:
        open_file(str(tmp_path))
    assert error.value.filename == str(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_file(str(tmp_path / "none"))
    assert len(os.listdir("/proc/self/fd")) < 200  # none stays open


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
