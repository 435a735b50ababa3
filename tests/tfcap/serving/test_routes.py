"""The application, around a captioner that needs no model."""

import asyncio
import base64
import contextlib
import importlib.util
import io
import json
import socket
import sys
import threading

import pytest

pytest.importorskip("starlette", reason="needs the extra: pip install 'tfcap[serve]'")
pytest.importorskip("httpx", reason="starlette.testclient needs httpx")

from PIL import Image
from starlette.testclient import TestClient

from records.errors import UserError
from tfcap import serving
from tfcap.captioning import UNREADABLE, Captioned, Explained
from tfcap.config import ServingConfig

PREDICT = "/v1/models/caption:predict"
LIMITS = ServingConfig()
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
FORM_START = (
    b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n'
)


def photo(width=4, height=3) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, "PNG")
    return file.getvalue()


BROKEN = photo()[:40]  # a header without its pixels


class FakeCaptioner:
    version, explains = "7", True

    def __init__(self):
        self.photos, self.threads = [], set()

    def warm_up(self):
        self.threads.add(threading.current_thread().name)

    def caption(self, photos):
        self.photos.extend(photos)
        self.threads.add(threading.current_thread().name)
        return [self._one(photo) for photo in photos]

    def explain(self, photos):
        return [explained(found) for found in self.caption(photos)]

    def _one(self, photo):
        if photo == BROKEN:
            return Captioned("", 0.0, UNREADABLE)
        width, height = Image.open(io.BytesIO(photo)).size
        return Captioned(f"{width} by {height}", -0.5)


def explained(found: Captioned) -> Explained:
    if found.error:
        return Explained(error=found.error)
    beams = found, Captioned("another", -1.5)
    return Explained(beams, ("two", "."), (0.5, 0.25), [[[1.0]], [[1.0]]])


@pytest.fixture
def captioner():
    return FakeCaptioner()


@pytest.fixture
def serve(captioner):
    """Makes a client of an application with other settings."""
    with contextlib.ExitStack() as stack:

        def serve(token=None, **settings) -> TestClient:
            app = serving.create_app(captioner, ServingConfig(**settings), token)
            client = TestClient(app, raise_server_exceptions=False)
            return stack.enter_context(client)

        yield serve


@pytest.fixture
def client(serve):
    return serve()


def b64(content: bytes) -> dict:
    return {"b64": base64.b64encode(content).decode()}


def error_of(response, status: int) -> str:
    assert response.status_code == status, response.text
    assert list(response.json()) == ["error"]
    return response.json()["error"]


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


def test_upload_of_several_photos(client, captioner):
    files = [("photo", ("ä.png", photo(5, 2))), ("photo", ("b.png", photo(1, 1)))]
    rows = client.post("/caption", files=files).json()["captions"]
    assert rows == [
        {"file": "ä.png", "caption": "5 by 2", "score": -0.5, "error": None},
        {"file": "b.png", "caption": "1 by 1", "score": -0.5, "error": None},
    ]
    assert captioner.photos == [photo(5, 2), photo(1, 1)]


def test_upload_of_bad_photos_keeps_the_good_one(serve, captioner):
    client = serve(max_pixels=50)
    contents = [b"", b"text", BROKEN, photo(10, 10), photo()]
    files = [("photo", (f"{i}.png", content)) for i, content in enumerate(contents)]
    rows = client.post("/caption", files=files).json()["captions"]
    errors = [UNREADABLE, UNREADABLE, UNREADABLE, "more than 50 pixels", None]
    assert [row["error"] for row in rows] == errors
    assert [row["caption"] for row in rows] == ["", "", "", "", "4 by 3"]
    assert [row["score"] for row in rows] == [None, None, None, None, -0.5]
    assert photo(10, 10) not in captioner.photos


@pytest.mark.parametrize(
    ("content", "status", "error"),
    [
        (b"text", 415, UNREADABLE),
        (photo(10, 10), 413, "more than 50 pixels"),
    ],
)
def test_a_request_of_nothing_but_refused_photos(
    serve, captioner, content, status, error
):
    client = serve(max_pixels=50)
    upload = client.post("/caption", files={"photo": ("a.png", content)})
    assert error_of(upload, status) == error
    predict = client.post(PREDICT, json={"instances": [b64(content)] * 2})
    assert error_of(predict, status) == error
    assert captioner.photos == []


def test_an_explained_upload(client):
    files = {"photo": ("a.png", photo())}
    (row,) = client.post("/caption?explain=true", files=files).json()["captions"]
    assert row["beams"] == [
        {"caption": "4 by 3", "score": -0.5},
        {"caption": "another", "score": -1.5},
    ]
    assert row["words"][1] == {"word": ".", "probability": 0.25}
    assert row["attention"] == [[[1.0]], [[1.0]]]
    error_of(client.post("/caption?explain=maybe", files=files), 400)
    files = [("photo", ("a.png", BROKEN)), ("photo", ("b.png", photo()))]
    rows = client.post("/caption?explain=true", files=files).json()["captions"]
    assert [row["error"] for row in rows] == [UNREADABLE, None]


def test_an_export_that_cannot_explain(client, captioner):
    captioner.explains = False
    files = {"photo": ("a.png", photo())}
    error = error_of(client.post("/caption?explain=true", files=files), 400)
    assert "captions alone" in error
    assert client.post("/caption", files=files).status_code == 200


@pytest.mark.parametrize(
    "request_of",
    [
        {},
        {"content": b"a photo"},
        {"data": {"photo": "text"}},
        {"files": {"picture": ("a.png", photo())}},
        {"files": {"x": ("a.png", photo())}, "data": {"photo": "text"}},
    ],
)
def test_upload_of_no_photo(client, request_of):
    error = error_of(client.post("/caption", **request_of), 400)
    assert error == 'send one or more files in the field "photo"'


@pytest.mark.parametrize("header", ["", "; boundary=x"])
def test_upload_of_broken_multipart(client, header):
    headers = {"Content-Type": f"multipart/form-data{header}"}
    error_of(client.post("/caption", content=b"--y\r\nnone", headers=headers), 400)


def test_upload_of_too_many_photos(client):
    files = [("photo", ("a.png", photo()))] * (LIMITS.max_photos + 1)
    assert "16" in error_of(client.post("/caption", files=files), 400)


def test_a_file_name_cannot_break_the_answer(client):
    part = b'Content-Disposition: form-data; name="photo"; filename="\\ud800"\r\n\r\n'
    content = b"--x\r\n" + part + photo() + b"\r\n--x--\r\n"
    kind = "multipart/form-data; boundary=x; charset=unicode_escape"
    response = client.post("/caption", content=content, headers={"Content-Type": kind})
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("wrap", [b64, lambda content: {"image_bytes": b64(content)}])
def test_predict_rows(client, wrap):
    body = {"instances": [wrap(photo(5, 2)), wrap(photo())]}
    assert client.post(PREDICT, json=body).json() == {
        "predictions": [
            {"caption": "5 by 2", "score": -0.5, "error": ""},
            {"caption": "4 by 3", "score": -0.5, "error": ""},
        ]
    }


@pytest.mark.parametrize("wrap", [list, lambda values: {"image_bytes": values}])
def test_predict_columns(client, wrap):
    body = {
        "signature_name": "serving_default",
        "inputs": wrap([b64(photo(5, 2)), b64(photo())]),
    }
    assert client.post(PREDICT, json=body).json() == {
        "outputs": {
            "caption": ["5 by 2", "4 by 3"],
            "score": [-0.5, -0.5],
            "error": ["", ""],
        }
    }


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[" * 100_000, b"9" * 5_000, b"nothing"]
)
def test_predict_of_no_json(client, content):
    assert (
        error_of(client.post(PREDICT, content=content), 400) == "the body is not JSON"
    )


GOOD = b64(photo())


@pytest.mark.parametrize(
    "body, expected",
    [
        ([], "the body is not a JSON object"),
        ("text", "the body is not a JSON object"),
        ({}, 'either "instances" or "inputs"'),
        ({"instances": [GOOD], "inputs": [GOOD]}, 'either "instances" or "inputs"'),
        ({"instances": []}, "instances must be a list"),
        ({"instances": GOOD}, "instances must be a list"),
        ({"instances": {"image_bytes": [GOOD]}}, "instances must be a list"),
        ({"inputs": GOOD}, "inputs must be a list"),
        ({"inputs": {"image": [GOOD]}}, "inputs must be a list"),
        ({"inputs": [{"image_bytes": GOOD}]}, "inputs[0] must be a photo"),
        ({"instances": [GOOD, "text"]}, "instances[1] must be a photo"),
        ({"instances": [{"image": GOOD}]}, "instances[0] must be a photo"),
        ({"instances": [{"b64": 3}]}, "instances[0] must be a photo"),
        ({"instances": [{**GOOD, "more": 1}]}, "instances[0] must be a photo"),
        ({"instances": [GOOD, {"b64": "*"}]}, "instances[1]: b64 is not base64"),
        ({"instances": [{"b64": "\ud800"}]}, "instances[0]: b64 is not base64"),
        ({"instances": [GOOD] * 17}, "17 photos; at most 16"),
        ({"instances": [GOOD], "signature_name": "x"}, "'serving_default'"),
    ],
)
def test_predict_of_a_wrong_shape(client, body, expected):
    response = client.post(PREDICT, content=json.dumps(body))
    assert expected in error_of(response, 400)


def test_predict_of_a_bad_photo_keeps_the_good_one(client):
    body = {"instances": [GOOD, b64(b"text"), b64(BROKEN)]}
    rows = client.post(PREDICT, json=body).json()["predictions"]
    assert [row["error"] for row in rows] == ["", UNREADABLE, UNREADABLE]
    assert [row["caption"] for row in rows] == ["4 by 3", "", ""]


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


def test_a_token_is_asked_for(serve):
    client = serve(token="secret")
    for path in ("/", "/healthz", "/readyz", "/openapi.json"):
        assert client.get(path).status_code == 200
    for sent in ({}, {"Authorization": "Bearer other"}, {"Authorization": "secret"}):
        response = client.post(PREDICT, json={"instances": [GOOD]}, headers=sent)
        assert "asks for a token" in error_of(response, 401)
        assert response.headers["www-authenticate"] == "Bearer"
        error_of(client.get("/metrics", headers=sent), 401)
    right = {"Authorization": "Bearer secret"}
    response = client.post(PREDICT, json={"instances": [GOOD]}, headers=right)
    assert response.status_code == 200


def test_metrics(client):
    client.post(PREDICT, json={"instances": [GOOD, b64(b"text")]})
    client.get("/secret/path")
    text = client.get("/metrics").text
    for line in (
        'tfcap_requests_total{route="predict",status="200"} 1.0',
        'tfcap_photos_total{outcome="captioned"} 1.0',
        'tfcap_photos_total{outcome="error"} 1.0',
        "tfcap_batch_photos_sum 1.0",
        "tfcap_queue_photos 0.0",
    ):
        assert line in text
    assert "secret" not in text


def test_every_route_of_the_api_is_described(client):
    described = client.get("/openapi.json").json()
    assert described["openapi"] == "3.1.0"
    for path, methods in described["paths"].items():
        for method in methods:
            assert client.request(method, path).status_code not in (404, 405)


def test_a_version_may_be_named(client):
    named = "/v1/models/caption/versions/7"
    body = {"instances": [GOOD]}
    assert client.post(f"{named}:predict", json=body).status_code == 200
    assert client.get(named).status_code == 200
    error_of(client.get("/v1/models/caption/versions/8"), 404)


def test_status_and_metadata(client):
    (version,) = client.get("/v1/models/caption").json()["model_version_status"]
    assert version == {
        "version": "7",
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    metadata = client.get("/v1/models/caption/metadata").json()
    assert metadata["model_spec"]["version"] == "7"
    signature = metadata["metadata"]["signature_def"]["signature_def"]
    inputs = signature["serving_default"]["inputs"]
    assert inputs["image_bytes"]["dtype"] == "DT_STRING"
    assert set(signature["serving_default"]["outputs"]) == {"caption", "score", "error"}


@pytest.mark.parametrize(
    "method, path",
    [
        ("GET", "/v1/models/other"),
        ("GET", "/v1/models/other/metadata"),
        ("POST", "/v1/models/other:predict"),
        ("GET", "/favicon.ico"),
    ],
)
def test_what_is_not_there(client, method, path):
    assert "the only model is 'caption'" in error_of(client.request(method, path), 404)


@pytest.mark.parametrize("method, path", [("GET", PREDICT), ("DELETE", "/caption")])
def test_the_wrong_method(client, method, path):
    response = client.request(method, path)
    error_of(response, 405)
    assert response.headers["allow"] == "POST"


def test_health_and_readiness(captioner):
    client = TestClient(serving.create_app(captioner))
    assert client.get("/healthz").json() == {"status": "ok"}
    assert error_of(client.get("/readyz"), 503) == "the model is starting"
    with client:
        client.post(PREDICT, json={"instances": [GOOD]})  # waits behind the first run
        assert client.get("/readyz").json() == {"status": "ready"}


def test_a_model_that_does_not_run_is_never_ready(captioner, monkeypatch):
    def fails():
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(captioner, "warm_up", fails)
    with TestClient(serving.create_app(captioner)) as client:
        client.post(PREDICT, json={"instances": [GOOD]})
        assert error_of(client.get("/readyz"), 503) == "the model does not run"


def test_a_bug_tells_the_client_nothing(client, captioner, monkeypatch):
    def fails(photos):
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(captioner, "caption", fails)
    response = client.post(PREDICT, json={"instances": [GOOD]})
    assert error_of(response, 500) == "internal error"


def test_the_model_runs_in_one_thread_off_the_event_loop(client, captioner):
    for _ in range(3):
        client.post(PREDICT, json={"instances": [GOOD]})
    assert len(captioner.threads) == 1
    assert captioner.threads.pop().startswith("captioner")


@pytest.mark.parametrize(
    "missing", ["starlette", "uvicorn", "python_multipart", "prometheus_client"]
)
def test_a_missing_extra_names_the_command(monkeypatch, missing):
    for name in list(sys.modules):
        if name.split(".")[0] == missing:
            monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, missing, None)
    spec = importlib.util.find_spec("tfcap.serving")
    with pytest.raises(UserError, match=r"pip install 'tfcap\[serve\]'"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


@pytest.mark.parametrize("host", ["127.0.0.1", "no such host"])
def test_an_address_that_cannot_be_had(tmp_path, host):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"cannot listen on {host}, port {port}: "):
            serving.serve(str(tmp_path), host, port)
    with pytest.raises(UserError, match="port 70000"):
        serving.serve(str(tmp_path), host="127.0.0.1", port=70_000)


def test_serving_no_model(tmp_path):
    with pytest.raises(UserError, match="no SavedModel"):
        serving.serve(str(tmp_path), port=0)
