"""Files of an object store and of a tree of directories, by way of Beam."""

import io

import pytest
from apache_beam.io.filesystem import BeamIOError
from memory_files import StoreFiles, held, put

from beam_jobs.io.beam_storage import BeamStorage, match, plain_errors
from records.errors import UserError
from records.storage.base import IN_MEMORY, StorageUserError
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
from records.storage.local_copy import lasting_local_copy
from records.storage.registry import storage_of

pytestmark = pytest.mark.usefixtures("memory")


@pytest.fixture(params=["store", "tree"])
def folder(request) -> str:
    return f"{request.param}://bucket/folder"


def test_every_path_with_a_scheme_goes_to_beam():
    for path in ("s3://a/b", "gs://a/b", "hdfs://a/b", "store://a/b"):
        assert isinstance(storage_of(path), BeamStorage)


def test_a_file_is_written_replaced_and_removed(folder):
    make_directory(folder)
    write_atomically(f"{folder}/a", b"first")
    write_atomically(f"{folder}/a", b"second")
    write_atomically(f"{folder}/empty", b"")
    assert held(folder) == {"a": b"second", "empty": b""}
    assert (read_file(f"{folder}/a"), file_size(f"{folder}/a")) == (b"second", 6)
    remove_if_there(f"{folder}/a")
    remove_if_there(f"{folder}/a")
    assert held(folder) == {"empty": b""}


def test_a_large_file_comes_back(folder):
    content = bytes(range(256)) * (IN_MEMORY // 256 + 1)
    make_directory(folder)
    write_atomically(f"{folder}/a", content)
    assert read_file(f"{folder}/a") == content
    assert len(file_digest(f"{folder}/a")) == 64


def test_nothing_is_sent_before_the_end(folder):
    make_directory(folder)
    StoreFiles.calls.clear()
    with new_file(f"{folder}/a") as file:
        file.write(b"content")
    assert held(folder) == {}
    assert StoreFiles.calls == []


@pytest.mark.parametrize("error", [RuntimeError("cut off"), KeyboardInterrupt()])
def test_a_file_cut_off_while_it_is_sent_is_not_there(folder, error, monkeypatch):
    make_directory(folder)
    write_atomically(f"{folder}/a", b"before")
    create = StoreFiles.create

    def cut(self, path, *args):
        writer = create(self, path)

        def write(content):
            raise error

        writer.write = write
        return writer

    monkeypatch.setattr(StoreFiles, "create", cut)
    kind = UserError if isinstance(error, Exception) else KeyboardInterrupt
    with pytest.raises(kind):
        write_atomically(f"{folder}/a", b"content")
    assert held(folder) == {"a": b"before"}


def test_directories(folder):
    assert not exists(folder) and not is_directory(folder) and is_empty(folder)
    put(f"{folder}/inner/a", b"abc")
    put(f"{folder}/b", b"b")
    assert exists(folder) and is_directory(folder) and is_directory(f"{folder}/")
    assert not is_empty(folder)
    assert not is_directory(f"{folder}/b") and not is_empty(f"{folder}/b")
    assert file_sizes(folder)["b"] == 1
    assert "inner/a" not in file_sizes(folder)
    remove_directory(f"{folder}/inner")
    remove_directory(f"{folder}/inner")
    assert held(folder) == {"b": b"b"}


def test_an_object_store_has_a_directory_while_a_file_is_in_it():
    make_directory("store://bucket/folder")
    assert not exists("store://bucket/folder")
    put("store://bucket/folder/a/b", b"abc")
    assert file_sizes("store://bucket/folder", nested=True) == {"a/b": 3}
    assert is_directory("store://bucket") and exists("store://bucket/")


def test_a_tree_has_empty_directories():
    make_directory("tree://bucket/folder")
    make_directory("tree://bucket/folder")
    assert is_directory("tree://bucket/folder") and is_empty("tree://bucket/folder")


def test_neighbours_whose_names_begin_alike_are_left_alone(folder):
    put(f"{folder}-2/a", b"a")
    put(f"{folder}2", b"a")
    assert not exists(folder) and is_empty(folder)
    put(f"{folder}/a", b"a")
    remove_directory(folder)
    assert held(f"{folder}-2") == {"a": b"a"} and read_file(f"{folder}2") == b"a"


def test_markers_of_folders_are_no_files():
    """Consoles of object stores write them."""
    put("store://bucket/folder/", b"")
    put("store://bucket/folder/a.jpg", b"a")
    assert [file.path for file in match("store://bucket/folder/*")] == [
        "store://bucket/folder/a.jpg"
    ]
    assert file_sizes("store://bucket/folder") == {"a.jpg": 1}


def test_names_with_the_signs_of_patterns():
    put("store://bucket/a [1]*?/x", b"x")
    put("store://bucket/a 1zz/y", b"y")
    assert file_sizes("store://bucket/a [1]*?") == {"x": 1}


def test_few_bytes_are_asked_for_where_few_are_read(folder, monkeypatch):
    put(f"{folder}/a", bytes(1 << 20))
    asked = []
    read = io.BytesIO.read
    real = StoreFiles.open

    def watch(self, path, *args, **kwargs):
        class Watched(io.BytesIO):
            def read(self, size=-1):
                asked.append(size)
                return read(self, size)

        buffered = real(self, path)
        return io.BufferedReader(Watched(buffered.read()), 16 << 20)

    monkeypatch.setattr(StoreFiles, "open", watch)
    with open_file(f"{folder}/a", 1000) as file:
        file.seek(500_000)
        assert file.read(12) == bytes(12)
    assert asked == [1000]


def test_what_is_not_there(folder):
    make_directory(folder)
    for use in (read_file, file_size):
        with pytest.raises(FileNotFoundError, match="No such file"):
            use(f"{folder}/gone")


@pytest.mark.parametrize(
    "use",
    [read_file, exists, file_sizes, is_directory, remove_if_there, file_size],
)
def test_a_place_out_of_reach_is_a_users_error_that_says_where(use, memory):
    memory.broken = "folder"
    with pytest.raises(UserError, match=r"store://bucket/folder.*: 503") as error:
        use("store://bucket/folder/a")
    assert isinstance(error.value, OSError)


def test_a_message_is_the_innermost_one_on_one_line():
    inner = BeamIOError("inner", {"a": ValueError("no\nsuch bucket")})
    with pytest.raises(StorageUserError) as error, plain_errors("x://a"):
        raise BeamIOError("outer", {"x": inner})
    assert str(error.value) == "x://a: no such bucket"


def test_a_directory_is_copied_to_this_machine_once(memory, tmp_path):
    assert lasting_local_copy(str(tmp_path)) == str(tmp_path)
    put("store://bucket/model/1/saved_model.pb", b"graph")
    put("store://bucket/model/1/variables/data", b"weights")
    copy = lasting_local_copy("store://bucket/model")
    assert file_sizes(copy, nested=True) == {
        "1/saved_model.pb": 5,
        "1/variables/data": 7,
    }
    memory.calls.clear()
    assert lasting_local_copy("store://bucket/model") == copy
    assert memory.calls == []
    with pytest.raises(UserError, match="nothing is in store://bucket/none"):
        lasting_local_copy("store://bucket/none")
