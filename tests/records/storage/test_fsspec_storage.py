"""Files of stores and web servers, through fsspec."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from typing import ClassVar

import fsspec
import pytest

from records.errors import UserError
from records.storage import fsspec_storage, registry
from records.storage.base import StorageUserError
from records.storage.files import (
    exists,
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

needs_aiohttp = pytest.mark.skipif(not find_spec("aiohttp"), reason="an extra")


@pytest.fixture
def folder(monkeypatch) -> Iterator[str]:
    monkeypatch.setattr(registry, "_remote", None)
    yield "memory://bucket"
    fsspec.filesystem("memory").rm("/", recursive=True)


@pytest.mark.parametrize("content", [b"", b"few", bytes(3 << 20)])
def test_a_file_is_written_whole_and_replaced(folder, content):
    path = f"{folder}/a/file"
    write_atomically(path, b"before")
    with new_file(path) as file:
        file.write(b"never finished")
    assert read_file(path) == b"before"
    write_atomically(path, content)
    assert read_file(path) == content
    assert file_sizes(f"{folder}/a") == {"file": len(content)}
    assert file_size(path) == len(content)


def test_directories(folder):
    make_directory(f"{folder}/a")
    assert is_empty(f"{folder}/b")
    for name in ("a/b", "a/c/d", "a-2/e"):
        write_atomically(f"{folder}/{name}", name.encode())
    assert is_directory(f"{folder}/a") and not is_directory(f"{folder}/a/b")
    assert exists(f"{folder}/a/b") and not exists(f"{folder}/a/e")
    assert file_sizes(f"{folder}/a") == {"b": 3}
    assert file_sizes(f"{folder}/a/", nested=True) == {"b": 3, "c/d": 5}
    remove_directory(f"{folder}/a")
    assert file_sizes(folder, nested=True) == {"a-2/e": 5}


def test_a_file_that_is_not_there(folder):
    for use in (read_file, file_size):
        with pytest.raises(FileNotFoundError):
            use(f"{folder}/gone")
    remove_if_there(f"{folder}/gone")


def test_reading_in_any_order(folder):
    write_atomically(f"{folder}/a", bytes(range(200)))
    with open_file(f"{folder}/a", 16) as file:
        for place in (150, 3, 190):
            file.seek(place)
            assert file.read(20) == bytes(range(200))[place : place + 20]


def test_errors_of_a_store_are_sentences(folder, monkeypatch):
    def lost(*_, **__):
        raise RuntimeError("connection\n lost")

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "_open", lost)
    with pytest.raises(StorageUserError, match=r"^memory://bucket/a: connection lost$"):
        read_file(f"{folder}/a")


@pytest.mark.parametrize(
    ("path", "package"),
    [("s3://a/b", "s3fs"), ("gs://a/b", "gcsfs"), ("https://a/b", "aiohttp")],
)
def test_a_missing_package_is_named(monkeypatch, path, package):
    monkeypatch.setattr(fsspec_storage, "find_spec", lambda _: None)
    message = rf"needs the package {package}, which is not installed: pip install "
    with pytest.raises(UserError, match=message):
        fsspec_storage.files_of(path)


class Pages(BaseHTTPRequestHandler):
    """Sends parts of files; the first answers to some are cut off or stall."""

    files: ClassVar = {
        "/a": bytes(range(256)) * 100,
        "/late": b"late",
        "/cut": b"c" * 9,
    }
    stalled = threading.Event()
    asked: ClassVar[list[str]] = []

    def do_GET(self):
        self.asked.append(self.path)
        if self.path not in self.files:
            self.send_error(404)
            return
        content, status = self.files[self.path], 200
        if asked := self.headers.get("Range"):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            content, status = content[int(first) : int(last or len(content)) + 1], 206
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()
        first = self.asked.count(self.path) == 1
        if first and self.path == "/late":
            self.stalled.wait()
        if self.command == "GET":
            part = content[:4] if first and self.path == "/cut" else content
            self.wfile.write(part)

    def do_HEAD(self):
        content = self.files.get(self.path)
        self.send_response(200 if content else 404)
        self.send_header("Content-Length", str(len(content or b"")))
        self.send_header("Accept-Ranges", "bytes")
        self.end_headers()

    def log_message(self, *_):
        pass


@contextmanager
def serving() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        Pages.stalled.clear()
        Pages.asked.clear()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            Pages.stalled.set()
            server.shutdown()
            thread.join()


@pytest.fixture
def site() -> Iterator[str]:
    with serving() as address:
        yield address


@needs_aiohttp
def test_a_web_server_is_read(site):
    assert read_file(f"{site}/a") == Pages.files["/a"]
    assert file_size(f"{site}/a") == 25_600
    assert exists(f"{site}/a") and not exists(f"{site}/gone")
    assert not is_directory(f"{site}/a")
    with open_file(f"{site}/a", 64) as file:
        file.seek(1000)
        assert file.read(10) == Pages.files["/a"][1000:1010]
    with pytest.raises(FileNotFoundError):
        read_file(f"{site}/gone")


@pytest.mark.parametrize(
    ("use", "verb"),
    [
        (new_file, "written"),
        (make_directory, "written"),
        (remove_if_there, "written"),
        (remove_directory, "written"),
        (lambda path: file_sizes(path), "listed"),
    ],
)
def test_a_web_server_is_only_read(use, verb):
    with pytest.raises(UserError) as error:
        use("https://a.org/b")
    assert str(error.value) == (
        f"https://a.org/b: a path of https:// can be read, but not {verb}; expected a "
        "path of this machine or of an object store"
    )


@needs_aiohttp
@pytest.mark.parametrize("name", ["late", "cut"])
def test_a_server_that_stalls_or_cuts_off_is_asked_for_the_rest(
    site, name, monkeypatch, tmp_path
):
    import hashlib

    from records.storage import cache

    monkeypatch.setattr(fsspec_storage, "READ_TIMEOUT", 0.2)
    monkeypatch.setattr(cache, "WAIT", 0.0)
    content = Pages.files[f"/{name}"]
    digest = hashlib.sha256(content).hexdigest()
    file = cache.StoredFile(f"{site}/{name}", len(content), digest)
    with cache.FileCache(str(tmp_path)).pin(file) as copy:
        assert copy.read() == content
    assert Pages.asked.count(f"/{name}") > 1
