"""Captions over HTTP: a web page, file uploads and TensorFlow Serving's REST form.

    GET  /                              the page: drop, paste or choose photos
    POST /caption                       multipart, one or more files in field `photo`;
                                        with ?explain=true also beams and words
    POST /v1/models/caption:predict     {"instances": [{"image_bytes": {"b64": ..}}]} or
                                        {"inputs": {"image_bytes": [{"b64": ..}]}}
    GET  /v1/models/caption             state of the model; /metadata: its signature
    GET  /healthz, /readyz              the process runs; the model has run once
    GET  /metrics, /openapi.json        Prometheus metrics; description of this API

Every error is `{"error": "..."}` in plain words. Clients never receive a path, a
traceback or a TensorFlow message, and the server fetches nothing for them. Photos of
all connections are captioned in common batches in one thread, which keeps the event
loop free. The package needs the extra `serve`.
"""

from typing import TYPE_CHECKING

from records.lazy_names import lazy_names

if TYPE_CHECKING:
    from tfcap.serving.app import create_app
    from tfcap.serving.server import serve

__all__ = ["create_app", "serve"]

__getattr__ = lazy_names(__name__, {"create_app": "app", "serve": "server"})
