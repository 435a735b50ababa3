"""One file over HTTP, from servers good and bad; all of them on this machine."""

import errno
import hashlib
import io
import socket
from pathlib import Path

import pytest
from file_server import FileServer

from records.errors import UserError
from tfcap.datasets import http
from tfcap.datasets.http import fetch, size_of

CONTENT = bytes(range(256)) * 4096  # 1 MiB: several blocks
OTHER = CONTENT[::-1]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(http, "WAITS", (0.0, 0.0))


@pytest.fixture
def server():
    with FileServer({"a.zip": CONTENT}) as server:
        yield server


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "a.zip"


def md5(content: bytes) -> str:
    return "md5:" + hashlib.md5(content).hexdigest()


def get(server, path, content=CONTENT, shown=lambda size: None) -> None:
    fetch(f"{server.url}/a.zip", str(path), len(content), md5(content), shown)


def part_of(path: Path) -> Path:
    return path.with_name("a.zip.part")


def leave_part(server, path, size: int) -> None:
    """Breaks off a transfer after `size` bytes."""
    server.cuts, server.statuses = [size], [200, 403]
    with pytest.raises(UserError):
        get(server, path)
    assert size_of(part_of(path)) == size
    server.asked.clear()


def names(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


def test_a_file_comes_whole_and_nothing_else_is_left(server, path):
    sizes = []
    get(server, path, shown=sizes.append)
    assert path.read_bytes() == CONTENT
    assert names(path) == ["a.zip"]
    assert sizes == sorted(sizes) and sizes[-1] == len(CONTENT)


def test_a_connection_cut_off_is_taken_up_where_it_broke(server, path):
    server.cuts = [500_000, 300_000]
    get(server, path)
    assert path.read_bytes() == CONTENT
    ranges = [headers.get("Range") for headers in server.asked]
    assert ranges == [None, "bytes=500000-", "bytes=800000-"]


def test_a_part_of_an_earlier_command_is_continued(server, path):
    leave_part(server, path, 700_000)
    get(server, path)
    assert path.read_bytes() == CONTENT
    assert [headers["Range"] for headers in server.asked] == ["bytes=700000-"]


def test_a_server_that_ignores_range_sends_it_all_again(server, path):
    leave_part(server, path, 700_000)
    server.ranges = False
    get(server, path)
    assert path.read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_is_fetched_by_the_next_command(server, path):
    leave_part(server, path, 700_000)
    server.files["a.zip"] = OTHER
    with pytest.raises(UserError, match="the file is removed"):
        get(server, path, OTHER)
    get(server, path, OTHER)
    assert path.read_bytes() == OTHER


def test_a_part_longer_than_the_file_is_removed(server, path):
    part_of(path).write_bytes(CONTENT + b"more")
    with pytest.raises(UserError, match="the file is removed"):
        get(server, path)
    get(server, path)
    assert path.read_bytes() == CONTENT


def test_no_more_than_the_length_is_read(server, path):
    server.chunked = True
    server.files["a.zip"] = CONTENT + b"more"
    get(server, path)
    assert path.read_bytes() == CONTENT


def test_a_part_that_was_whole_is_only_checked(server, path):
    leave_part(server, path, 700_000)
    part_of(path).write_bytes(CONTENT)
    get(server, path)
    assert path.read_bytes() == CONTENT and not server.asked


def test_another_digest_is_said_and_the_file_removed(server, path):
    server.files["a.zip"] = OTHER
    with pytest.raises(UserError, match=r"md5 digest is .* not .*; the file is remov"):
        get(server, path)
    assert names(path) == []


def test_a_file_of_another_length_is_refused_before_it_comes(server, path):
    server.files["a.zip"] = CONTENT + b"more"
    with pytest.raises(UserError, match="a file of 1,048,580 bytes, not of 1,048,576"):
        get(server, path)
    assert not path.exists()


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, r"http.*a\.zip: the server answers 404 Not Found; name another place"),
        (403, "the server answers 403 Forbidden; name another place with --from"),
        (418, "the server answers 418"),
    ],
)
def test_a_refusal_is_final(server, path, status, message):
    server.statuses = [status]
    with pytest.raises(UserError, match=message):
        get(server, path)
    assert len(server.asked) == 1


def test_a_busy_server_is_asked_again(server, path):
    server.statuses = [503, 429]
    get(server, path)
    assert path.read_bytes() == CONTENT


def test_a_connection_that_breaks_without_end_keeps_the_part(server, path):
    server.cuts = [400_000, 0, 0, 0]
    message = (
        r"broke off.*; 400,000 of 1,048,576 bytes are in .*a\.zip\.part\. Run the same"
    )
    with pytest.raises(UserError, match=message):
        get(server, path)
    assert size_of(part_of(path)) == 400_000


def test_no_server_is_one_sentence(path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/a.zip"
        with pytest.raises(UserError, match=r"cannot reach .*refused; check the"):
            fetch(url, str(path), 1, "md5:", print)


def test_what_is_no_address_is_one_sentence(path):
    for url in ("http://[x/a.zip", "http://exa mple/a.zip"):
        with pytest.raises(UserError, match="is no address"):
            fetch(url, str(path), 1, "md5:", print)


def test_no_network_is_one_sentence(path, monkeypatch):
    def fail(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(UserError, match=r"cannot reach .*: Name or service not known"):
        fetch("https://example.invalid/a.zip", str(path), 1, "md5:", print)


def test_a_full_disk_is_one_sentence_and_keeps_the_part(server, path, monkeypatch):
    class Full(io.FileIO):
        def write(self, block):
            if self.tell() >= 400_000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(block[: 400_000 - self.tell()])

    def opened(name, mode):
        return io.BufferedWriter(Full(name, mode)) if mode == "ab" else open(name, mode)

    monkeypatch.setattr(http, "open", opened, raising=False)
    with pytest.raises(UserError, match=r"cannot write .*a\.zip\.part: No space left"):
        get(server, path)
    assert size_of(part_of(path)) == 400_000
    monkeypatch.undo()
    get(server, path)
    assert path.read_bytes() == CONTENT


def test_ctrl_c_keeps_what_came(server, path):
    def press(size):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(server, path, shown=press)
    kept = size_of(part_of(path))
    assert 0 < kept < len(CONTENT)
    get(server, path)
    assert server.asked[1]["Range"] == f"bytes={kept}-"
    assert path.read_bytes() == CONTENT


def get_unknown(server, path) -> None:
    fetch(f"{server.url}/a.zip", str(path), None, None, lambda size: None)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_file_of_unknown_length_comes_whole(server, path, chunked):
    server.chunked = chunked
    get_unknown(server, path)
    assert path.read_bytes() == CONTENT and names(path) == ["a.zip"]


def test_a_file_of_unknown_length_begins_again(server, path):
    server.cuts = [500_000]
    get_unknown(server, path)
    assert path.read_bytes() == CONTENT
    assert [headers.get("Range") for headers in server.asked] == [None, None]


def test_a_file_of_unknown_length_is_bounded(server, path, monkeypatch):
    monkeypatch.setattr(http, "MOST", 1000)
    server.chunked = True
    with pytest.raises(UserError, match="more than 1,000 bytes, the most that is read"):
        get_unknown(server, path)


def test_an_empty_file_of_unknown_length_is_none(server, path):
    server.files["a.zip"] = b""
    with pytest.raises(UserError, match="broke off; run the same command again"):
        get_unknown(server, path)
    assert not path.exists()
