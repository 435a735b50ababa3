"""An S3 server without Beam: fsspec's storage, copies of records, locks."""

import hashlib
import json
import os
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import s3_server
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from moto.server import ThreadedMotoServer

from beam_jobs.io import beam_storage
from beam_jobs.io.preflight import use_options
from records.errors import UserError
from records.storage import cache as cache_module
from records.storage import registry, remote_locks
from records.storage.cache import FileCache, StoredFile
from records.storage.files import (
    exists,
    file_sizes,
    is_directory,
    read_file,
    remove_directory,
    remove_if_there,
    write_atomically,
    write_if,
)

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@pytest.fixture(scope="module")
def server():
    with s3_server.running() as bucket:
        yield bucket


@pytest.fixture
def by_fsspec(server, monkeypatch) -> Iterator[s3_server.Bucket]:
    store = pytest.importorskip("s3fs", reason="an extra: pip install 'tfcap[aws]'")
    monkeypatch.setattr(registry, "_remote", None)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.client.meta.endpoint_url)
    store.S3FileSystem.clear_instance_cache()  # it keeps the settings
    server.clear()
    yield server
    store.S3FileSystem.clear_instance_cache()


@pytest.fixture
def by_beam(server, monkeypatch) -> s3_server.Bucket:
    monkeypatch.setattr(FileSystems, "_pipeline_options", None)
    monkeypatch.setattr(registry, "_remote", None)
    beam_storage.register()
    use_options(PipelineOptions(server.flags), {"--output": [f"{server.url}/x"]})
    server.clear()
    return server


def stored(bucket: s3_server.Bucket, name: str, content: bytes) -> StoredFile:
    bucket.put(name, content)
    digest = hashlib.sha256(content).hexdigest()
    return StoredFile(f"{bucket.url}/{name}", len(content), digest)


def test_files_and_directories(by_fsspec):
    bucket = by_fsspec
    for content in (b"", b"few", bytes(9 << 20)):
        write_atomically(f"{bucket.url}/a/b/file", content)
        assert read_file(f"{bucket.url}/a/b/file") == content
    assert bucket.names() == ["a/b/file"] and bucket.uploads() == []
    bucket.put("a/b-2/e", b"e")
    assert file_sizes(f"{bucket.url}/a/b") == {"file": 9 << 20}
    assert file_sizes(f"{bucket.url}/a", nested=True) == {"b/file": 9 << 20, "b-2/e": 1}
    assert is_directory(f"{bucket.url}/a/b") and not exists(f"{bucket.url}/a/c")
    with pytest.raises(FileNotFoundError):
        read_file(f"{bucket.url}/gone")
    remove_if_there(f"{bucket.url}/gone")
    remove_directory(f"{bucket.url}/a/b")
    assert bucket.names() == ["a/b-2/e"]


def test_a_bucket_that_is_not_there(by_fsspec):
    with pytest.raises(UserError, match=r"cannot write s3://no-such-bucket/a: "):
        write_atomically("s3://no-such-bucket/a", b"a")


def test_a_shard_is_copied_and_verified(by_fsspec, tmp_path):
    content = os.urandom(9 << 20)
    file, cache = stored(by_fsspec, "shard", content), FileCache(str(tmp_path))
    (path,) = cache.each([file])
    with open(path, "rb") as copy:
        assert copy.read() == content
    other = file._replace(sha256="0" * 64)
    with pytest.raises(UserError, match="shard is damaged or from another build"):
        cache.pin(other)


def test_a_server_that_ends_in_mid_read_and_starts_again(
    by_fsspec, tmp_path, monkeypatch
):
    content, offsets = os.urandom(3 << 20), []
    file, read_from = stored(by_fsspec, "shard", content), cache_module.read_from
    address = urlsplit(by_fsspec.client.meta.endpoint_url)
    port, servers = unused_port(), []

    def start(_=None):
        servers.append(ThreadedMotoServer("127.0.0.1", port, verbose=False))
        servers[-1].start()

    def ends_after_a_block(path, offset):
        offsets.append(offset)
        for number, block in enumerate(read_from(path, offset)):
            yield block
            if len(offsets) == 1 and number == 0:
                servers[0].stop()

    monkeypatch.setenv("AWS_ENDPOINT_URL", f"{address.scheme}://127.0.0.1:{port}")
    monkeypatch.setattr(cache_module, "BLOCK", 1 << 20)
    monkeypatch.setattr(cache_module, "read_from", ends_after_a_block)
    monkeypatch.setattr(cache_module.time, "sleep", start)
    start()
    with FileCache(str(tmp_path)).pin(file) as copy:
        assert copy.read() == content
    assert offsets == [0, 1 << 20]
    servers[-1].stop()


def unused_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_a_server_that_is_not_there(by_fsspec, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{unused_port()}")
    monkeypatch.setattr(cache_module, "PATIENCE", 0.0)
    file = StoredFile(f"{by_fsspec.url}/elsewhere", 1, "0" * 64)
    with pytest.raises(
        UserError, match=r"s3://.*/elsewhere: .*127.0.0.1.*; no byte has come"
    ):
        FileCache(str(tmp_path)).pin(file)


def test_a_write_on_a_condition(by_beam):
    path = f"{by_beam.url}/lock"
    assert write_if(path, b"old", b"new") is False and by_beam.names() == []
    assert write_if(path, None, b"first") is True
    assert write_if(path, None, b"second") is False
    assert write_if(path, b"second", b"third") is False
    assert by_beam.get("lock") == b"first"
    assert write_if(path, b"first", b"second") is True
    assert by_beam.get("lock") == b"second"


def test_of_two_that_write_at_once_one_is_refused(by_beam, monkeypatch):
    """Both have read the content before either writes."""
    path, both_read, results = f"{by_beam.url}/lock", threading.Barrier(2), []
    client = beam_storage.s3.client_for(path)

    def waiting(put):
        def put_object(**options):
            both_read.wait(10)
            return put(**options)

        return put_object

    by_beam.put("lock", b"old")
    monkeypatch.setattr(client, "put_object", waiting(client.put_object))
    threads = [
        threading.Thread(
            target=lambda new=new: results.append(write_if(path, b"old", new))
        )
        for new in (b"one", b"two")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False, True]


def test_a_lock_on_s3_waits_for_nothing(by_beam, monkeypatch):
    monkeypatch.setattr(remote_locks.time, "sleep", lambda _: pytest.fail("it waited"))
    output, path = f"{by_beam.url}/out", f"{by_beam.url}/out/lock"
    with remote_locks.locked(path, output, "--output"):
        assert json.loads(by_beam.get("out/lock"))["pid"] == os.getpid()
        with (
            pytest.raises(UserError, match="another job is writing to s3://"),
            remote_locks.locked(path, output, "--output"),
        ):
            pass
    assert by_beam.names() == []


def test_a_stale_lock_is_taken_over(by_beam):
    output, path = f"{by_beam.url}/out", f"{by_beam.url}/out/lock"
    gone = {"host": "elsewhere", "pid": 1, "started": "then", "key": "k", "seen": 0.0}
    by_beam.put("out/lock", json.dumps(gone).encode())
    with remote_locks.locked(path, output, "--output"):
        assert json.loads(by_beam.get("out/lock"))["key"] != "k"
    assert by_beam.names() == []
