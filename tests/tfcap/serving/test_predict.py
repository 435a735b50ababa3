"""TensorFlow Serving's REST form, around a captioner that needs no model."""

import base64
import json
import re

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

from tfcap.serving.openapi import BASE64
from tfcap.serving.tf_serving_api import decode_base64


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
    "content", [b"", b"{", b"\xff", b"[" * 9_000, b"9" * 5_000, b"nothing"]
)
def test_predict_of_no_json(client, content):
    assert (
        error_of(client.post(PREDICT, content=content), 400) == "the body is not JSON"
    )


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
        ({"instances": [0] * 10_000}, "more than 10,000 values"),
        ({"instances": [GOOD], "signature_name": "x"}, "'serving_default'"),
    ],
)
def test_predict_of_a_wrong_shape(client, body, expected):
    response = client.post(PREDICT, content=json.dumps(body))
    assert expected in error_of(response, 400)


def test_predict_of_a_bad_photo_keeps_the_good_one(client):
    body = {"instances": [GOOD, b64(b"text"), b64(BROKEN)]}
    rows = client.post(PREDICT, json=body).json()["predictions"]
    assert [row["error"] for row in rows] == ["", NO_PHOTO, UNREADABLE]
    assert [row["caption"] for row in rows] == ["4 by 3", "", ""]


@pytest.mark.parametrize(
    "written",
    [
        lambda text: text,
        lambda text: text.rstrip("="),
        lambda text: text + "\n",
        lambda text: "\r\n".join(text[i : i + 76] for i in range(0, len(text), 76)),
        lambda text: text.replace("+", "-").replace("/", "_"),
    ],
    ids=["plain", "no padding", "last newline", "lines", "URL-safe"],
)
def test_base64_as_clients_write_it(client, captioner, written):
    sent = [photo(5, 2) + b"\xfb\xff"[:i] for i in range(3)]  # each another padding
    texts = [base64.b64encode(content).decode() for content in sent]
    assert "+" in "".join(texts) or "/" in "".join(texts)
    body = {"instances": [{"b64": written(text)} for text in texts]}
    assert client.post(PREDICT, json=body).status_code == 200
    assert captioner.photos == sent


@pytest.mark.parametrize("text", ["A", "AA=", "AAA==", "=AAA", "AA=A", "AAAA=", "AA-é"])
def test_what_is_no_base64(client, text):
    response = client.post(PREDICT, json={"instances": [{"b64": text}]})
    assert error_of(response, 400) == "instances[0]: b64 is not base64"
    assert not re.search(BASE64, text)


@pytest.mark.parametrize("text", ["", "AA", "AAA=", " AAAA\n", "A A-_", "AA=\r\n="])
def test_base64_is_described_as_it_is_read(text):
    assert re.search(BASE64, text) and decode_base64(text) is not None
