"""TensorFlow Serving's REST form, around a captioner that needs no model."""

import json

import pytest

pytest.importorskip("starlette", reason="needs the extra: pip install 'tfcap[serve]'")
pytest.importorskip("httpx", reason="starlette.testclient needs httpx")

from fakes import BROKEN, GOOD, PREDICT, b64, error_of, photo

from tfcap.captioning import UNREADABLE


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
