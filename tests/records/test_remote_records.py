"""Commands on records in a store and on a web server."""

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import fsspec
import numpy as np
import pytest

from records import RecordSet, verify
from records.__main__ import main
from records.storage import registry
from records.storage.cache import FileCache

DIRECTORY = "memory://bucket/records"


@pytest.fixture
def put(monkeypatch):
    """Copies a record set into a store in memory; returns its path there."""
    monkeypatch.setattr(registry, "_remote", None)
    files = fsspec.filesystem("memory")

    def put_all(directory: Path) -> str:
        for path in directory.iterdir():
            files.pipe_file(f"/bucket/records/{path.name}", path.read_bytes())
        return DIRECTORY

    yield put_all
    files.rm("/", recursive=True)


def test_verify_reads_the_store_itself(put, record_set, flip_bit):
    assert verify(put(record_set)).whole
    flip_bit(record_set / "train-00001-of-00003.tfrecord", 1)
    report, local = verify(put(record_set)), verify(str(record_set))
    assert not report.whole and report.problems == local.problems


def test_inspect_prints_what_it_prints_of_local_records(
    put, record_set, tmp_path, capsys
):
    main(["inspect", str(record_set), "--json"])
    local = json.loads(capsys.readouterr().out)
    options = ["--json", "--cache", str(tmp_path / "cache"), "--cache_gb=0.1"]
    assert main(["inspect", put(record_set), *options]) == 0
    remote = json.loads(capsys.readouterr().out)
    assert {**remote, "directory": ""} == {**local, "directory": ""}
    assert len(list((tmp_path / "cache").iterdir())) > 1  # the lock, and copies


def test_a_shard_of_another_size_is_refused_at_once(put, record_set, capsys):
    directory = put(record_set)
    name = "/bucket/records/dev-00000-of-00002.tfrecord"
    fsspec.filesystem("memory").pipe_file(name, b"cut")
    assert main(["inspect", directory]) == 1
    assert f"{directory}/dev-00000-of-00002.tfrecord has 3 bytes" in (
        capsys.readouterr().err
    )


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.mark.skipif(not find_spec("aiohttp"), reason="an extra: 'tfcap[http]'")
def test_records_of_a_web_server(record_set, tmp_path):
    handler = partial(Quiet, directory=str(record_set))
    local = RecordSet.open(str(record_set))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            directory = f"http://127.0.0.1:{server.server_port}"
            remote = RecordSet.open(directory, FileCache(str(tmp_path / "cache")))
            pairs = zip(local.records("dev"), remote.records("dev"), strict=True)
            assert all(np.array_equal(a.features, b.features) for a, b in pairs)
            assert verify(directory).whole
        finally:
            server.shutdown()
            thread.join()
