"""Reads requests and makes answers in the form of TensorFlow Serving's REST API.

Source: tensorflow.org/tfx/serving/api_rest, predict API, row and column format.
"""

import base64
import json
from typing import Any

from starlette.exceptions import HTTPException

from tfcap.inference.captioner import CAPTION, ERROR, INPUT, SCORE, SIGNATURE, Captioned

MODEL = "caption"
# Largest number of JSON values in a request. Each takes up to a hundred bytes of memory
# and a microsecond in which nothing else runs; a photo has only a few.
MAX_VALUES = 10_000
URL_SAFE = bytes.maketrans(b"-_", b"+/")
BLANKS = b" \t\n\r\f\v"


def read_predict_request(body: bytes, most: int) -> tuple[str, list[bytes]]:
    """Reads the body of a predict request.

    Args:
        body: the body, JSON.
        most: largest number of photos.

    Returns:
        The form of the request, `instances` (rows) or `inputs` (columns), and the
        photos.

    Raises:
        HTTPException: 400; says what is wrong and where.
    """
    request = read_object(body)
    forms = {"instances", "inputs"} & set(request)
    if len(forms) != 1:
        raise HTTPException(400, 'the body must hold either "instances" or "inputs"')
    form = forms.pop()
    values = request[form] if form == "instances" else unwrap(request[form])
    if not isinstance(values, list) or not values:
        raise HTTPException(400, f"{form} must be a list of one photo or more")
    if len(values) > most:
        raise HTTPException(400, f"{len(values)} photos; at most {most} fit")
    if form == "instances":
        values = map(unwrap, values)
    return form, [photo_bytes(value, f"{form}[{i}]") for i, value in enumerate(values)]


def read_object(body: bytes) -> dict[str, Any]:
    # An upper bound of the number of values: texts may contain these characters.
    if sum(body.count(mark) for mark in b"[{,") > MAX_VALUES:
        raise HTTPException(400, f"the body holds more than {MAX_VALUES:,} values")
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not JSON") from None
    if not isinstance(request, dict):
        raise HTTPException(400, "the body is not a JSON object")
    if request.get("signature_name", SIGNATURE) not in (SIGNATURE, ""):
        raise HTTPException(400, f"over HTTP there is the signature {SIGNATURE!r} only")
    return request


def unwrap(value: Any) -> Any:
    """Returns the value of `{"image_bytes": value}`, and anything else unchanged."""
    named = isinstance(value, dict) and set(value) == {INPUT}
    return value[INPUT] if named else value


def photo_bytes(value: Any, where: str) -> bytes:
    encoded = value.get("b64") if isinstance(value, dict) else None
    if not isinstance(encoded, str) or len(value) != 1:
        raise HTTPException(400, f'{where} must be a photo as {{"b64": "..."}}')
    try:
        return decode_base64(encoded)
    except ValueError:
        raise HTTPException(400, f"{where}: b64 is not base64") from None


def decode_base64(text: str) -> bytes:
    """Decodes base64 of either alphabet, with or without padding and line breaks.

    TensorFlow Serving takes the standard alphabet, TensorFlow the URL-safe one.

    Raises:
        ValueError: the text is not base64.
    """
    packed = text.encode("ascii").translate(URL_SAFE, BLANKS)
    bare = packed.rstrip(b"=")
    padding = b"=" * (-len(bare) % 4)
    if packed not in (bare, bare + padding):
        raise ValueError("wrong padding")
    return base64.b64decode(bare + padding, validate=True)


def predictions(form: str, results: list[Captioned]) -> dict[str, Any]:
    """Returns the answer in the form of the request."""
    rows = [
        {CAPTION: row.caption, SCORE: row.score, ERROR: row.error or ""}
        for row in results
    ]
    if form == "instances":
        return {"predictions": rows}
    return {"outputs": {name: [row[name] for row in rows] for name in rows[0]}}


def status(version: str) -> dict[str, Any]:
    state = {"version": version, "state": "AVAILABLE"}
    fine = {"error_code": "OK", "error_message": ""}
    return {"model_version_status": [{**state, "status": fine}]}


def metadata(version: str) -> dict[str, Any]:
    """Returns the signature as TensorFlow Serving describes it."""
    shape = {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}
    strings = {"dtype": "DT_STRING", "tensor_shape": shape}
    floats = {"dtype": "DT_FLOAT", "tensor_shape": shape}
    signature = {
        "inputs": {INPUT: strings},
        "outputs": {CAPTION: strings, SCORE: floats, ERROR: strings},
        "method_name": "tensorflow/serving/predict",
    }
    model = {"name": MODEL, "signature_name": "", "version": version}
    signatures = {"signature_def": {SIGNATURE: signature}}
    return {"model_spec": model, "metadata": {"signature_def": signatures}}
