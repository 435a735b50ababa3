"""What the server answers, as OpenAPI 3.1."""

from typing import Any

from tfcap.config.serving import ServingConfig

# Base64 of either alphabet, blanks anywhere, with or without padding.
BLANKS = r"[ \t\n\r\f\v]*"
CHARACTER, PAD = rf"[A-Za-z0-9+/_-]{BLANKS}", f"={BLANKS}"
LAST = f"({CHARACTER}){{2}}(({PAD}){{2}}|{CHARACTER}({PAD})?)?"
BASE64 = f"^{BLANKS}(({CHARACTER}){{4}})*({LAST})?$"
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}},
    "additionalProperties": False,
}
ROW = {
    "type": "object",
    "required": ["caption", "score", "error"],
    "properties": {
        "file": {"type": "string"},
        "caption": {"type": "string"},
        "score": {"type": ["number", "null"]},
        "error": {"type": ["string", "null"]},
    },
}
PHOTO = {
    "type": "object",
    "required": ["b64"],
    "properties": {
        "b64": {"type": "string", "contentEncoding": "base64", "pattern": BASE64}
    },
    "additionalProperties": False,
}
REFUSALS = {
    "400": "the request is wrong; says where",
    "401": "the token is missing or wrong",
    "408": "the body did not arrive in time",
    "413": "too many bytes or pixels",
    "415": "not a photo that can be read, or packed in a way that is not",
    "503": "too many requests are waiting",
    "504": "no caption in time",
}


def describe(config: ServingConfig, version: str) -> dict[str, Any]:
    named = {"type": "object", "required": ["image_bytes"]}
    return {
        "openapi": "3.1.0",
        "info": {"title": "tfcap: captions of photos", "version": version},
        "paths": {
            "/caption": {"post": upload(config)},
            "/v1/models/caption:predict": {
                "post": operation(
                    "caption photos, as TensorFlow Serving",
                    {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "oneOf": [
                                    column("instances", config, {
                                        **named, "properties": {"image_bytes": PHOTO},
                                        "additionalProperties": False,
                                    }),
                                    column("inputs", config, PHOTO),
                                ],
                            }
                        }
                    },
                    {"type": "object"},
                )
            },
            "/v1/models/caption": {"get": operation("the model's state")},
            "/v1/models/caption/metadata": {"get": operation("its signature")},
            "/healthz": {"get": operation("the process lives")},
            "/readyz": {"get": operation("the model has run")},
        },
    }  # fmt: skip


def upload(config: ServingConfig) -> dict[str, Any]:
    files = {"type": "array", "minItems": 1, "maxItems": config.max_photos}
    file = {"type": "string", "format": "binary"}
    form = {
        "type": "object",
        "required": ["photo"],
        "properties": {"photo": {**files, "items": file}},
    }
    rows = {
        "type": "object",
        "required": ["captions"],
        "properties": {"captions": {"type": "array", "items": ROW}},
    }
    found = operation("caption photos", {"multipart/form-data": {"schema": form}}, rows)
    explain = {"name": "explain", "in": "query", "schema": {"type": "boolean"}}
    return {**found, "parameters": [explain]}


def column(name: str, config: ServingConfig, item: dict) -> dict[str, Any]:
    photos = {"type": "array", "minItems": 1, "maxItems": config.max_photos}
    return {
        "required": [name],
        "properties": {name: {**photos, "items": item}},
        "additionalProperties": False,
    }


def operation(summary: str, body=None, answer=None) -> dict[str, Any]:
    answers = {"200": response("done", answer or {"type": "object"})}
    answers |= {code: response(text, ERROR) for code, text in REFUSALS.items()}
    found = {"summary": summary, "responses": answers}
    return found | (
        {"requestBody": {"required": True, "content": body}} if body else {}
    )


def response(text: str, schema: dict) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}
