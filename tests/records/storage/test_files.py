import hashlib
import json
import os
import re

import pytest

from records.errors import UserError
from records.storage.base import BLOCK
from records.storage.files import (
    file_digest,
    file_sizes,
    is_empty,
    make_directory,
    new_file,
    read_file,
    remove_directory,
    remove_if_there,
    write_atomically,
    write_text,
    write_together,
)


def test_writes_and_replaces(tmp_path):
    path = tmp_path / "file.txt"
    write_atomically(str(path), b"first")
    write_atomically(str(path), b"second")
    assert path.read_bytes() == b"second"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_text_is_written_whatever_names_are_in_it(tmp_path):
    name = os.fsdecode(b"caf\xe9.jpg")
    path = str(tmp_path / "file")
    write_text(path, json.dumps([name, "é"], ensure_ascii=False))
    content = read_file(path)
    assert content == '["caf\\udce9.jpg", "é"]'.encode()
    assert json.loads(content) == [name, "é"]


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


def test_a_file_that_is_not_finished_never_was(tmp_path):
    write_atomically(str(tmp_path / "file"), b"old")
    with new_file(str(tmp_path / "file")) as file:
        file.write(b"new")
        (hidden,) = set(os.listdir(tmp_path)) - {"file"}
        assert hidden.startswith(".") and hidden.endswith(".tmp")
    assert os.listdir(tmp_path) == ["file"]
    assert read_file(str(tmp_path / "file")) == b"old"


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path):
    with (
        pytest.raises(OSError, match="No space left"),
        new_file(str(tmp_path / "file")) as file,
    ):
        file.file.close()
        file.file = open("/dev/full", "wb")  # noqa: SIM115
        file.write(b"content")
        file.finish()
    assert os.listdir(tmp_path) == []


def test_files_written_together_are_all_there_or_none(tmp_path):
    first, second = str(tmp_path / "first"), str(tmp_path / "second")
    write_together({first: b"1", second: b"2"})
    assert (read_file(first), read_file(second)) == (b"1", b"2")
    unwritable = str(tmp_path / "no folder" / "third")
    with pytest.raises(UserError, match=r"cannot write .*third: No such file"):
        write_together({first: b"new", unwritable: b"3"})
    assert read_file(first) == b"1"
    assert sorted(os.listdir(tmp_path)) == ["first", "second"]


def test_files_of_a_directory_by_name_with_their_sizes(tmp_path):
    for name in ("b", "a", "inner/c", "inner/more/d"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert list(file_sizes(str(tmp_path)).items()) == [("a", 1), ("b", 1)]
    nested = {"a": 1, "b": 1, "inner/c": 7, "inner/more/d": 12}
    assert file_sizes(str(tmp_path), nested=True) == nested
    with pytest.raises(FileNotFoundError):
        file_sizes(str(tmp_path / "gone"))


def test_what_is_empty(tmp_path):
    (tmp_path / "file").write_text("")
    make_directory(str(tmp_path / "a" / "b"))
    make_directory(str(tmp_path / "a" / "b"))
    found = {name: is_empty(str(tmp_path / name)) for name in ("file", "a", "a/b", "x")}
    assert found == {"file": False, "a": True, "a/b": True, "x": True}
    (tmp_path / "a" / "b" / "file").write_text("")
    assert not is_empty(str(tmp_path / "a"))


def test_a_directory_is_removed_with_what_is_in_it(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_text("")
    remove_directory(str(tmp_path / "a"))
    remove_directory(str(tmp_path / "a"))
    assert os.listdir(tmp_path) == []


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
