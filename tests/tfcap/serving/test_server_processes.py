"""`tfcap serve` over real connections: crowds, slow clients, strangers, its end."""

import asyncio
import base64
import contextlib
import gzip
import itertools
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("httpx", reason="needs the extras serve and dev")

import httpx
from fakes import PREDICT
from fakes import photo as png
from served import START, Server, computed_before_health, predict_body, serving

pytestmark = pytest.mark.slow

CROWD = 250  # clients at a time
SLOW_PHOTO = png(5, 1000)  # takes the model a second
# What may stand in no answer: paths, tracebacks, what the server is made of.
OURS = re.compile(rb"Traceback|\.py\b|site-packages|/home|/tmp|uvicorn")


@pytest.fixture(scope="module")
def server(sizes_model):
    """One for all tests that leave it as it was."""
    with serving(sizes_model, queue=2 * CROWD, requests=2 * CROWD) as server:
        yield server


@pytest.fixture(scope="module")
def narrow(sizes_model):
    """One with little room and little time."""
    with serving(sizes_model, batch=1, queue=2, requests=8, seconds=4) as server:
        yield server


def send(server: Server, *parts: bytes) -> socket.socket:
    connection = socket.create_connection((server.host, server.port), timeout=20)
    for part in parts:
        connection.sendall(part)
    return connection


def read_all(connection: socket.socket) -> bytes:
    """What comes until the server closes; nothing if it does so at once."""
    received = b""
    try:
        while part := connection.recv(65536):
            received += part
    except ConnectionResetError:
        pass
    return received


def request(body: bytes, path: str = PREDICT, length: int | None = None) -> bytes:
    length = len(body) if length is None else length
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    return f"{head}Content-Length: {length}\r\n\r\n".encode() + body


def captions(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [row["caption"] for row in response.json()["predictions"]]


def assert_well(server: Server) -> None:
    """It answers as ever, and soon."""
    with server.client() as client:
        started = time.monotonic()
        answer = client.post(PREDICT, content=predict_body(png(9, 8)))
        assert captions(answer) == ["9x8"]
        assert time.monotonic() - started < 10


def test_a_crowd_gets_each_its_own_captions(server):
    async def one(client: httpx.AsyncClient, number: int) -> None:
        width, height = number % 50 + 1, number % 7 + 1
        photo = png(width, height)
        if number % 2:
            answer = await client.post(PREDICT, content=predict_body(photo, png()))
            assert captions(answer) == [f"{width}x{height}", "4x3"]
        else:
            answer = await client.post("/caption", files={"photo": ("a.png", photo)})
            (row,) = answer.json()["captions"]
            assert row["caption"] == f"{width}x{height}"

    async def crowd() -> None:
        limits = httpx.Limits(max_connections=CROWD)
        url = server.url
        async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
            await asyncio.gather(*(one(client, i) for i in range(CROWD)))

    asyncio.run(crowd())


def test_clients_that_drip_hold_up_nobody_and_are_answered(server):
    content = request(predict_body(png(6, 5)))
    cuts = [0, 5, 40, 90, 120, len(content)]
    pieces = [content[a:b] for a, b in itertools.pairwise(cuts)]
    dripping = [send(server) for _ in range(100)]
    for piece in pieces:
        for connection in dripping:
            connection.sendall(piece)
        assert_well(server)
    for connection in dripping:
        answer = read_all(connection)
        assert answer.startswith(b"HTTP/1.1 200") and b"6x5" in answer


def test_clients_that_vanish_leave_nothing_behind(server):
    content = request(predict_body(png(5, 200)))
    for cut in (10, len(content) - 7, len(content)):
        for _ in range(40):
            connection = send(server, content[:cut])
            linger = struct.pack("ii", 1, 0)  # close() resets the connection
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            connection.close()
    assert_well(server)
    with server.client() as client:
        assert "tfcap_queue_photos 0.0" in client.get("/metrics").text


GARBAGE = {
    "nothing_http": b"\x00\xff\x00\xff" * 50 + b"\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
    "no_version": b"GET /\r\n\r\n",
    "no_method": b"/ HTTP/1.1\r\n\r\n",
    "negative_length": request(b"{}", length=-5),
    "two_lengths": b"POST /caption HTTP/1.1\r\nContent-Length: 1\r\n"
    b"Content-Length: 2\r\n\r\nab",
    "a_wrong_chunk": b"POST /caption HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"zz\r\nab\r\n",
    "a_header_without_end": b"GET / HTTP/1.1\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
    "a_space_in_a_name": b"GET / HTTP/1.1\r\nHo st: x\r\n\r\n",
    "up_the_tree": b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n"
    b"Connection: close\r\n\r\n",
}


@pytest.mark.parametrize("content", GARBAGE.values(), ids=GARBAGE.keys())
def test_what_is_no_request_is_refused(server, content):
    connection = send(server)
    try:
        connection.sendall(content)
        connection.shutdown(socket.SHUT_WR)
    except (BrokenPipeError, ConnectionResetError, OSError):
        pass  # refused before all of it was sent
    answer = read_all(connection)
    assert not answer or re.match(rb"HTTP/1\.1 (400|404|431) ", answer), answer[:80]
    assert not OURS.search(answer)
    assert_well(server)


def bomb(side: int = 50_000) -> bytes:
    """A PNG of 2.5 billion black pixels in a few kilobytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return (
            struct.pack(">I", len(content))
            + checked
            + struct.pack(">I", zlib.crc32(checked))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1 << 20))
    parts = chunk(b"IHDR", header), chunk(b"IDAT", rows), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_a_decompression_bomb_is_never_unpacked(server):
    before = server.memory()
    with server.client() as client:
        answer = client.post(PREDICT, content=predict_body(*[bomb()] * 16))
        assert answer.status_code == 413
        answer = client.post(PREDICT, content=predict_body(bomb(), png()))
        assert captions(answer) == ["", "4x3"]
        files = {"photo": ("bomb.png", bomb())}
        assert client.post("/caption", files=files).status_code == 413
    assert server.memory() - before < 50
    assert_well(server)


def full_bodies(size: int = 32 << 20) -> dict[str, tuple[str, dict, bytes]]:
    """Path, headers and bytes of the bodies that take the server longest."""
    form = {"Content-Type": "multipart/form-data; boundary=" + "-" * 70}
    json_of = b'{"instances": [%b]}'
    text = json_of % b'{"b64": "%b"}'
    photo = base64.b64encode(png(9, 9).ljust(size * 2 // 3))
    return {
        "values": (PREDICT, {}, json_of % (b"0," * (size // 2 - 20) + b"0")),
        "digits": (PREDICT, {}, json_of % (b"0." + b"7" * (size - 30))),
        "lines": (PREDICT, {}, text % b"\\n".join([b"AAAA"] * (size // 6 - 20))),
        "photo": (PREDICT, {}, text % photo),
        "packed": (
            PREDICT,
            {"Content-Encoding": "gzip"},
            gzip.compress(text % photo, compresslevel=1),
        ),
        "boundaries": ("/caption", form, (b"\r\n--" + b"-" * 69) * (size // 73)),
    }


def test_full_bodies_hold_up_nobody(server):
    bodies = full_bodies().values()

    def send_all(_: int) -> list[int]:
        with server.client() as client:
            return [
                client.post(path, headers=headers, content=content).status_code
                for path, headers, content in bodies
            ]

    with ThreadPoolExecutor(3) as pool:
        sending = [pool.submit(send_all, number) for number in range(3)]
        before_health = computed_before_health(server, sending)
    codes = {code for future in sending for code in future.result()}
    assert 200 in codes and codes <= {200, 400, 415, 503}
    assert before_health < 1


def test_no_answer_tells_of_the_server(server):
    paths = ["/", "/x", "/caption", PREDICT, "/v1/models/caption/metadata", "/healthz"]
    bodies = [b"", b"{", b"\xff" * 99, b"[" * 9999, b'{"instances": [{"b64": 1}]}']
    bodies += [b'{"instances": [{"b64": "http://127.0.0.1:1/a.png"}]}']
    with server.client() as client:
        for path, body in itertools.product(paths, bodies):
            for method in ("GET", "POST", "PUT"):
                answer = client.request(method, path, content=body)
                assert answer.status_code < 500
                told = str(answer.headers).encode()
                told += b"" if path == "/" else answer.content
                assert not OURS.search(told), (method, path, body, told)


# No schema can say what a photo is: bytes that are none, or too many pixels, are well
# described and refused all the same.
SETTINGS = """
[checks.positive_data_acceptance]
expected-statuses = ["200", "413", "415"]
"""


def test_requests_made_from_its_own_description(server, tmp_path):
    """Schemathesis reads /openapi.json, and sends what it allows and what it does not.

    It checks status, type and shape of every answer against the description.
    """
    pytest.importorskip("schemathesis", reason="needs the extra dev")
    (tmp_path / "schemathesis.toml").write_text(SETTINGS)
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run"),
            f"{server.url}/openapi.json",
            *("--phases=examples,coverage,fuzzing", "--max-examples=15"),
            *("--seed=1", "--generation-database=none", "--no-color"),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    assert_well(server)


def test_memory_stays_as_it_is(server):
    """The command for more of them: `python -m tests.benchmarks.serving`."""
    bodies = [predict_body(png(i % 60 + 1, 3)) for i in range(60)]

    def ask(count: int) -> None:
        with server.client() as client:
            for i in range(count):
                client.post(PREDICT, content=bodies[i % 60]).raise_for_status()

    def crowd(count: int) -> float:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(ask, [count // 8] * 8))
        return server.memory()

    crowd(400)
    before = crowd(400)
    assert crowd(2000) - before < 8


def test_a_full_queue_says_when_to_come_again(narrow):
    waiting = [send(narrow, request(predict_body(SLOW_PHOTO))) for _ in range(2)]
    with narrow.client() as client:
        while "tfcap_queue_photos 2.0" not in client.get("/metrics").text:
            time.sleep(0.02)
        answer = client.post(PREDICT, content=predict_body(png()))
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert "try again" in answer.json()["error"]
    for connection in waiting:
        # On a busy machine their time may be up.
        assert re.match(rb"HTTP/1\.1 (200|504) ", read_all(connection))
    assert_well(narrow)


def test_no_request_takes_longer_than_it_may(narrow):
    silent = [send(narrow), send(narrow, b"POST /caption HTTP/1.1\r\nConte")]
    half_sent = send(narrow, request(b"{", length=100))
    endless = send(narrow, request(predict_body(png(1, 5000))))
    started = time.monotonic()
    answer = read_all(half_sent)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"the body did not arrive within 4 s" in answer
    answer = read_all(endless)
    assert answer.startswith(b"HTTP/1.1 504") and b"no caption within 4 s" in answer
    assert [read_all(connection) for connection in silent] == [b"", b""]
    assert time.monotonic() - started > 3


def ask_and_never_read(server: Server) -> socket.socket:
    """Asks for long answers until the server waits for them to be read."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((server.host, server.port))
    connection.settimeout(1)
    files = [("photo", ("n" * 4000, b"no photo"))] * 15 + [("photo", ("a", png()))]
    asked = httpx.Request("POST", f"{server.url}/caption", files=files)
    head = b"".join(b"%b: %b\r\n" % header for header in asked.headers.raw)
    content = b"POST /caption HTTP/1.1\r\n" + head + b"\r\n" + asked.read()
    with contextlib.suppress(TimeoutError):
        while True:
            connection.sendall(content)
    return connection


def test_a_client_that_never_reads_loses_its_place(sizes_model):
    body = predict_body(png(9, 8))
    with serving(sizes_model, requests=1, seconds=4) as server:
        never = ask_and_never_read(server)
        with server.client() as client:
            assert client.post(PREDICT, content=body).status_code == 503
            until = time.monotonic() + START
            while (answer := client.post(PREDICT, content=body)).status_code == 503:
                assert time.monotonic() < until
                time.sleep(0.2)
        assert captions(answer) == ["9x8"]
        never.close()


def test_a_server_that_is_told_to_end_answers_first(sizes_model):
    with serving(sizes_model) as server:
        idle = send(server)
        waiting = send(server, request(predict_body(SLOW_PHOTO)))
        time.sleep(0.3)  # the photo is with the model
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        with pytest.raises(ConnectionRefusedError):
            send(server)
        answer = read_all(waiting)
        assert answer.startswith(b"HTTP/1.1 200") and b"5x1000" in answer
        assert server.process.wait(START) == 0
        idle.close()
