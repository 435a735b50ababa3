import hashlib
import os
import re

import pytest

from records.errors import UserError
from records.files import (
    BLOCK,
    file_digest,
    remove_if_there,
    temporary_name,
    write_atomically,
)


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "file.txt"
    write_atomically(str(path), b"first")
    write_atomically(str(path), b"second")
    assert path.read_bytes() == b"second"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("no directory")
    path = str(tmp_path / "file" / "below.txt")
    with pytest.raises(UserError, match=rf"cannot write {re.escape(path)}: "):
        write_atomically(path, b"content")
    assert os.listdir(tmp_path) == ["file"]


def test_a_rename_that_fails_leaves_nothing(tmp_path):
    (tmp_path / "taken" / "full").mkdir(parents=True)
    with pytest.raises(UserError, match=r"cannot write .*/taken: "):
        write_atomically(str(tmp_path / "taken"), b"content")
    assert os.listdir(tmp_path) == ["taken"]


def test_temporary_names_are_hidden_beside_and_never_twice():
    names = {temporary_name("gs://bucket/x/train-0.tfrecord") for _ in range(100)}
    assert len(names) == 100
    pattern = re.compile(r"gs://bucket/x/\.train-0\.tfrecord\.[0-9a-f]{8}\.tmp")
    assert all(pattern.fullmatch(name) for name in names)


@pytest.mark.parametrize("size", [0, 1, BLOCK, BLOCK + 1])
def test_digest(tmp_path, size):
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    assert file_digest(str(tmp_path / "file")) == hashlib.sha256(content).hexdigest()


def test_remove_if_there(tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    remove_if_there(str(path))
    remove_if_there(str(path))
    assert not path.exists()
