"""Copies of remote files, in a folder with a bound."""

import fcntl
import hashlib
import logging
import os
import signal
import subprocess
import sys
import threading

import fsspec
import pytest

from records.errors import UserError
from records.storage import cache as cache_module
from records.storage import registry
from records.storage.base import StorageUserError
from records.storage.cache import FileCache, StoredFile, gigabytes

KILLED = """
import sys
from records.storage import cache

def stops_in_the_middle(path, offset):
    yield b"half"
    print("begun", flush=True)
    sys.stdin.read()

cache.read_from = stops_in_the_middle
folder, *file = sys.argv[1:]
cache.FileCache(folder).pin(cache.StoredFile(file[0], int(file[1]), file[2]))
"""


@pytest.fixture
def store(monkeypatch):
    """Writes a file of a store in memory, and describes it as a manifest does."""
    monkeypatch.setattr(registry, "_remote", None)
    files = fsspec.filesystem("memory")

    def put(name: str, content: bytes) -> StoredFile:
        files.pipe_file(f"/bucket/{name}", content)
        digest = hashlib.sha256(content).hexdigest()
        return StoredFile(f"memory://bucket/{name}", len(content), digest)

    yield put
    files.rm("/", recursive=True)


@pytest.fixture
def requests(monkeypatch) -> list[str]:
    """The files that are asked for, in order."""
    asked = []
    read_from = cache_module.read_from

    def counted(path, offset):
        asked.append(path.rpartition("/")[2])
        return read_from(path, offset)

    monkeypatch.setattr(cache_module, "read_from", counted)
    monkeypatch.setattr(cache_module, "WAIT", 0.0)
    return asked


def small_cache(tmp_path, bytes_allowed: int) -> FileCache:
    return FileCache(str(tmp_path / "cache"), bytes_allowed / 10**9)


def read(cache: FileCache, *files: StoredFile) -> list[bytes]:
    contents = []
    for path in cache.each(files):
        with open(path, "rb") as copy:
            contents.append(copy.read())
    return contents


@pytest.mark.parametrize("content", [b"", b"few", bytes(9 << 20)])
def test_a_file_is_fetched_once(store, requests, tmp_path, content):
    file = store("a", content)
    assert read(small_cache(tmp_path, 10**8), file, file) == [content] * 2
    assert read(small_cache(tmp_path, 10**8), file) == [content]
    assert requests == ["a"]
    assert sorted(os.listdir(tmp_path / "cache")) == sorted([file.sha256, "lock"])


def test_the_next_file_is_fetched_while_one_is_read(store, tmp_path, monkeypatch):
    begun, read_from = threading.Event(), cache_module.read_from

    def noted(path, offset):
        if path.endswith("/b"):
            begun.set()
        return read_from(path, offset)

    monkeypatch.setattr(cache_module, "read_from", noted)
    paths = small_cache(tmp_path, 100).each([store(n, n.encode()) for n in "abc"])
    assert next(paths).endswith(hashlib.sha256(b"a").hexdigest())
    assert begun.wait(60)


def test_no_thread_holds_up_the_end_of_the_process():
    threads = []
    cache_module.start(lambda: threads.append(threading.current_thread())).result()
    assert threads[0].daemon


def used_at(path: str, seconds: int) -> None:
    os.utime(path, (seconds, seconds))


def test_copies_not_used_for_longest_make_room(store, tmp_path):
    files = [store(name, name.encode() * 10) for name in "abc"]
    cache = small_cache(tmp_path, 20)
    a, b, c = map(cache.path_of, files)
    for file in files[:2]:
        cache.pin(file).close()
    used_at(a, 2), used_at(b, 1)
    cache.pin(files[2]).close()
    assert os.path.exists(a) and os.path.exists(c) and not os.path.exists(b)
    used_at(a, 1), used_at(c, 2)
    cache.pin(files[0]).close()  # which is used again by this
    cache.pin(files[1]).close()
    assert os.path.exists(a) and os.path.exists(b) and not os.path.exists(c)


def test_files_that_are_read_are_not_removed(store, tmp_path):
    cache, other = (small_cache(tmp_path, 25) for _ in range(2))
    files = [store(name, name.encode() * 10) for name in "abc"]
    with cache.pin(files[0]) as first, other.pin(files[1]):
        with pytest.raises(UserError) as error:
            cache.pin(files[2])
        assert first.read() == b"a" * 10 and os.path.exists(first.name)
    assert str(error.value) == (
        f"--cache: no room in {tmp_path / 'cache'} for memory://bucket/c (10 bytes): "
        "--cache_gb allows 2.5e-08 GB, and the 20 bytes of other copies are in use; "
        "allow more"
    )
    assert read(cache, files[2]) == [b"c" * 10]


def test_files_of_others_in_the_folder_stay(store, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "thesis.doc").write_bytes(bytes(100))
    cache = small_cache(tmp_path, 10)
    for content in (b"a" * 10, b"b" * 10):
        assert read(cache, store("a", content)) == [content]
    assert (tmp_path / "cache" / "thesis.doc").exists()


def test_a_full_disk(store, requests, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, os.strerror(28))

    cache, (old, new) = small_cache(tmp_path, 100), (store("o", b"o"), store("n", b"n"))
    cache.pin(old).close()
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(UserError, match=r"no room in .*/cache .* the disk is full"):
        cache.pin(new)
    assert os.listdir(tmp_path / "cache") == ["lock"] and requests == ["o"]


@pytest.mark.parametrize("change", [b"other", b"longer than before", b""])
def test_a_file_of_another_build(store, tmp_path, change):
    file = store("a", b"bytes")
    store("a", change)
    with pytest.raises(
        UserError, match=r"memory://bucket/a is damaged or from another"
    ):
        small_cache(tmp_path, 100).pin(file)
    assert os.listdir(tmp_path / "cache") == ["lock"]


def test_a_file_that_is_gone(store, tmp_path):
    file = store("a", b"a")._replace(path="memory://bucket/gone")
    with pytest.raises(
        UserError, match="memory://bucket/gone is missing; the manifest"
    ):
        small_cache(tmp_path, 100).pin(file)


def test_a_digest_that_leads_out_of_the_folder(store, tmp_path):
    file = store("a", b"a")._replace(sha256="../a")
    with pytest.raises(UserError, match=r"bucket/a: '../a' is not a SHA-256"):
        small_cache(tmp_path, 100).pin(file)


def test_a_damaged_copy_is_fetched_again(store, requests, tmp_path, caplog):
    file = store("a", b"whole")
    path = FileCache(str(tmp_path / "cache")).path_of(file)
    small_cache(tmp_path, 100).pin(file).close()
    with open(path, "wb") as copy:
        copy.write(b"wrong")
    with caplog.at_level(logging.WARNING):
        assert read(small_cache(tmp_path, 100), file) == [b"whole"]
    assert requests == ["a", "a"] and f"{path} was damaged" in caplog.text


def failing(monkeypatch, errors: list[OSError | None]) -> list[int]:
    """Lets each request send 4 bytes and then fail so; None sends the rest."""
    offsets = []
    read_from = cache_module.read_from

    def fails(path, offset):
        offsets.append(offset)
        error = errors.pop(0)
        if not error:
            yield from read_from(path, offset)
            return
        if error.refused:
            raise error
        yield b"01234567890123456789"[offset : offset + 4]
        raise error

    monkeypatch.setattr(cache_module, "read_from", fails)
    monkeypatch.setattr(cache_module, "WAIT", 0.0)
    return offsets


def broken_off(refused: bool = False) -> StorageUserError:
    return StorageUserError.about("memory://bucket/a", "connection reset", refused)


def test_the_rest_of_a_file_is_asked_for_when_a_server_fails(
    store, tmp_path, monkeypatch
):
    offsets = failing(monkeypatch, [broken_off(), broken_off(), None])
    file = store("a", b"01234567890123456789")
    assert read(small_cache(tmp_path, 100), file) == [b"01234567890123456789"]
    assert offsets == [0, 4, 8]


def test_a_server_that_stays_away(store, tmp_path, monkeypatch):
    def away(path, offset):
        raise broken_off()

    monkeypatch.setattr(cache_module, "read_from", away)
    monkeypatch.setattr(cache_module, "PATIENCE", 0.0)
    with pytest.raises(UserError) as error:
        small_cache(tmp_path, 100).pin(store("a", b"a"))
    assert str(error.value) == (
        "memory://bucket/a: connection reset; no byte has come for 0 seconds. Run the "
        "same command again when the server answers"
    )
    assert os.listdir(tmp_path / "cache") == ["lock"]


def test_a_refusal_is_not_tried_again(store, tmp_path, monkeypatch):
    offsets = failing(monkeypatch, [broken_off(refused=True)])
    with pytest.raises(UserError, match=r"^memory://bucket/a: connection reset$"):
        small_cache(tmp_path, 100).pin(store("a", b"a"))
    assert offsets == [0]


def test_a_killed_process_leaves_nothing_that_is_taken_for_whole(store, tmp_path):
    file, folder = store("a", b"half and half"), str(tmp_path / "cache")
    arguments = [folder, file.path, str(file.size), file.sha256]
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout.readline() == b"begun\n"
    with open(f"{folder}/{file.sha256}.part", "rb") as part:
        with pytest.raises(BlockingIOError):
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    process.stdin.close()
    process.stdout.close()
    assert os.path.getsize(f"{folder}/{file.sha256}.part") == file.size
    assert read(FileCache(folder), file) == [b"half and half"]
    assert sorted(os.listdir(folder)) == sorted([file.sha256, "lock"])


def test_what_a_killed_process_left_makes_room(store, tmp_path):
    cache, file = small_cache(tmp_path, 10), store("a", b"a" * 10)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / f"{'0' * 64}.part").write_bytes(bytes(10))
    assert read(cache, file) == [b"a" * 10]
    assert f"{'0' * 64}.part" not in os.listdir(tmp_path / "cache")


def test_groups_are_kept_while_they_are_read(store, tmp_path):
    cache = small_cache(tmp_path, 40)
    groups = [[store(n + i, (n + i).encode() * 5) for i in "12"] for n in "abc"]
    fetch = cache.group_fetcher()
    for group in groups:
        fetch(group)
    kept = [[os.path.exists(cache.path_of(file)) for file in group] for group in groups]
    assert kept == [[False] * 2, [True] * 2, [True] * 2]


def test_the_error_of_a_group_is_kept(store, tmp_path):
    cache = small_cache(tmp_path, 1)
    with pytest.raises(UserError, match="no room"):
        cache.group_fetcher()([store("a", b"too much")])
    assert "no room" in str(cache.failure)


def test_the_default_folder(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert FileCache().folder == "/caches/tfcap/records"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert FileCache().folder == "/home/me/.cache/tfcap/records"


def test_gigabytes():
    assert gigabytes("0.5") == 0.5
    for wrong in ("0", "-1", "many", "inf", "nan"):
        with pytest.raises(Exception, match="expected GB, more than 0"):
            gigabytes(wrong)
