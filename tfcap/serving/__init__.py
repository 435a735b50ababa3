"""Captions over HTTP: a web page, file uploads and TensorFlow Serving's REST form.

    GET  /                              the page: drop, paste or choose photos
    POST /caption                       multipart, one or more files in field `photo`;
                                        with ?explain=true beams and words as well
    POST /v1/models/caption:predict     {"instances": [{"image_bytes": {"b64": ..}}]} or
                                        {"inputs": {"image_bytes": [{"b64": ..}]}}
    GET  /v1/models/caption             state of the model; /metadata: its signature
    GET  /healthz, /readyz              the process lives; the model has run once
    GET  /metrics, /openapi.json        for Prometheus; what this server answers

Every error is `{"error": "..."}` in words: no path, traceback or TensorFlow message
goes to a client, and nothing is fetched on a client's behalf. Photos of all connections
are captioned in common batches, in one thread, so that the event loop stays free.
Importing this package without the extra `serve` raises a UserError.
"""

from records.errors import UserError

try:
    import prometheus_client  # noqa: F401
    import python_multipart  # noqa: F401
    import starlette  # noqa: F401
    import uvicorn  # noqa: F401
except ImportError as error:
    raise UserError(
        f"serving needs the package {error.name}: pip install 'tfcap[serve]'"
    ) from None

from tfcap.serving.app import create_app
from tfcap.serving.server import serve

__all__ = ["create_app", "serve"]
