import os
import re

import pytest
import tensorflow as tf

from records.errors import UserError
from records.storage.base import (
    IN_MEMORY,
    NewRemoteFile,
    StorageUserError,
    Stream,
    temporary_name,
)
from records.storage.files import open_file


def test_temporary_names_are_hidden_beside_and_never_twice():
    names = {temporary_name("gs://bucket/x/train-0.tfrecord") for _ in range(100)}
    assert len(names) == 100
    pattern = re.compile(r"gs://bucket/x/\.train-0\.tfrecord\.[0-9a-f]{8}\.tmp")
    assert all(pattern.fullmatch(name) for name in names)


class _KeptStorage:
    """The part of a remote storage that a new file uses."""

    def __init__(self):
        self.kept = {}

    def upload(self, file, path):
        self.kept[path] = file.read()

    def rename(self, old, new):
        self.kept[new] = self.kept.pop(old)

    def remove(self, path):
        del self.kept[path]


def test_a_file_that_cannot_be_renamed_leaves_nothing():
    class Refusing(_KeptStorage):
        def rename(self, old, new):
            raise StorageUserError("no permission")

    storage = Refusing()
    with pytest.raises(StorageUserError), NewRemoteFile("a", storage) as file:
        file.write(b"x")
        file.finish()
    assert storage.kept == {}


def test_what_is_sent_is_whole_or_nothing():
    storage = _KeptStorage()
    content = b"x" * (IN_MEMORY + 1)  # more than is kept in memory
    for path, finished in (("a", True), ("b", False)):
        with NewRemoteFile(path, storage) as file:
            file.write(content)
            if finished:
                file.finish()
    assert storage.kept == {"a": content}


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
