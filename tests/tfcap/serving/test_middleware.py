"""What a client may send, around a captioner that needs no model."""

import asyncio
import gzip
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("starlette", reason="needs the extra: pip install 'tfcap[serve]'")
pytest.importorskip("httpx", reason="starlette.testclient needs httpx")

from fakes import FORM, FORM_START, GOOD, PREDICT, error_of
from starlette.testclient import TestClient

from tfcap import serving
from tfcap.config.serving import ServingConfig
from tfcap.inference.captioner import Captioned

GZIP = {"Content-Encoding": "gzip"}


def post_chunks(app, path, chunks, announced) -> tuple[int, int]:
    """Sends a body as a server would: the answer's status, and how many chunks it took.

    `starlette.testclient` reads a whole body before the application sees any.
    """
    headers = [(b"content-type", FORM["Content-Type"].encode())]
    if announced is not None:
        headers.append((b"content-length", str(announced).encode()))
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers}
    taken, sent = iter(chunks), []

    async def receive():
        return {"type": "http.request", "body": next(taken), "more_body": True}

    async def send(message):
        sent.append(message)

    asyncio.run(app({**scope, "query_string": b""}, receive, send))
    return sent[0]["status"], len(chunks) - len(list(taken))


@pytest.mark.parametrize("path", ["/caption", PREDICT])
def test_too_large_a_body(serve, path):
    content = FORM_START + bytes(1 << 20)
    client = serve(max_body_bytes=1 << 20)
    error = error_of(client.post(path, content=content, headers=FORM), 413)
    assert error == "more than 1 MiB in one request"


@pytest.mark.parametrize("path", ["/caption", PREDICT])
@pytest.mark.parametrize("announced, read", [(100 << 18, 0), (None, 4)])
def test_too_large_a_body_is_not_read_on(captioner, path, announced, read):
    chunks = [FORM_START + bytes(1 << 18)] + [bytes(1 << 18)] * 99
    app = serving.create_app(captioner, ServingConfig(max_body_bytes=1 << 20))
    status, taken = post_chunks(app, path, chunks, announced)
    assert (status, taken) == (413, read)


def test_a_body_of_just_the_limit(serve):
    body = json.dumps({"instances": [GOOD]}).encode()
    client = serve(max_body_bytes=len(body))
    assert client.post(PREDICT, content=body).status_code == 200


def test_bodies_that_are_too_much_together(captioner, monkeypatch):
    held, going = threading.Semaphore(0), threading.Event()

    def waits(photos):
        held.release()
        assert going.wait(10)
        return [Captioned("two", -1.0) for _ in photos]

    monkeypatch.setattr(captioner, "caption_batch", waits)
    body = json.dumps({"instances": [GOOD]}).encode()
    config = ServingConfig(max_waiting_bytes=2 * len(body) - 1)
    app = serving.create_app(captioner, config)
    with TestClient(app) as client, ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, PREDICT, content=body)
        assert held.acquire(timeout=10)
        second = client.post(PREDICT, content=body)
        going.set()
        assert error_of(second, 503).startswith("too many requests")
        assert second.headers["retry-after"] == "1"
        assert first.result().status_code == 200
        assert client.post(PREDICT, content=body).status_code == 200
        packed = gzip.compress(body + b" " * 2 * len(body))
        error_of(client.post(PREDICT, content=packed, headers=GZIP), 503)


def test_a_token_is_asked_for(serve):
    client = serve(token="secret")
    for path in ("/", "/healthz", "/readyz", "/openapi.json"):
        assert client.get(path).status_code == 200
    for sent in ({}, {"Authorization": "Bearer other"}, {"Authorization": "secret"}):
        response = client.post(PREDICT, json={"instances": [GOOD]}, headers=sent)
        assert "asks for a token" in error_of(response, 401)
        assert response.headers["www-authenticate"] == "Bearer"
        error_of(client.get("/metrics", headers=sent), 401)
    for scheme in ("Bearer", "bearer"):
        right = {"Authorization": f"{scheme} secret"}
        response = client.post(PREDICT, json={"instances": [GOOD]}, headers=right)
        assert response.status_code == 200
