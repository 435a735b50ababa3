"""The application, around a captioner that needs no model."""

import socket

import pytest

pytest.importorskip("starlette", reason="needs the extra: pip install 'tfcap[serve]'")
pytest.importorskip("httpx", reason="starlette.testclient needs httpx")

from fakes import (
    BROKEN,
    GOOD,
    NO_PHOTO,
    PREDICT,
    UNREADABLE,
    b64,
    error_of,
    photo,
)
from starlette.testclient import TestClient

from records.errors import UserError
from tfcap import serving
from tfcap.config.serving import ServingConfig

LIMITS = ServingConfig()
TOO_LARGE = "too many pixels: 10 x 10 pixels; 50 at most"


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
    errors = ["empty file: 0 bytes", NO_PHOTO, UNREADABLE, TOO_LARGE, None]
    assert [row["error"] for row in rows] == errors
    assert [row["caption"] for row in rows] == ["", "", "", "", "4 by 3"]
    assert [row["score"] for row in rows] == [None, None, None, None, -0.5]
    assert photo(10, 10) not in captioner.photos


@pytest.mark.parametrize(
    ("content", "status", "error"),
    [
        (b"text", 415, NO_PHOTO),
        (photo(10, 10), 413, TOO_LARGE),
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


def test_photos_of_one_request_share_a_budget(serve, captioner):
    client = serve(max_pixels=50, max_waiting_pixels=60)
    files = [("photo", (f"{i}.png", photo(5, 4))) for i in range(4)]
    message = "more than 60 pixels in one request, the scans of progressive JPEGs coun"
    assert message in error_of(client.post("/caption", files=files), 413)
    body = {"instances": [b64(photo(5, 4))] * 4}
    assert message in error_of(client.post(PREDICT, json=body), 413)
    assert captioner.photos == []
    assert client.post("/caption", files=files[:3]).status_code == 200


def test_an_explained_upload(client):
    files = {"photo": ("a.png", photo())}
    (row,) = client.post("/caption?explain=true", files=files).json()["captions"]
    assert row["beams"] == [
        {"caption": "4 by 3", "score": -0.5},
        {"caption": "another", "score": -1.5},
    ]
    assert row["words"][1] == {"word": ".", "probability": 0.25}
    assert row["attention"] == [[[1.0]], [[1.0]]] and row["fit"] == "squash"
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

    monkeypatch.setattr(captioner, "caption_batch", fails)
    response = client.post(PREDICT, json={"instances": [GOOD]})
    assert error_of(response, 500) == "internal error"


def test_the_model_runs_in_one_thread_off_the_event_loop(client, captioner):
    for _ in range(3):
        client.post(PREDICT, json={"instances": [GOOD]})
    assert len(captioner.threads) == 1
    assert captioner.threads.pop().startswith("captioner")


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
