"""Captions over HTTP: a web page, file uploads and TensorFlow Serving's REST form.

    GET  /                              the page: drop, paste or choose photos
    POST /caption                       multipart, one or more files in field `photo`
    POST /v1/models/caption:predict     {"instances": [{"image_bytes": {"b64": ..}}]} or
                                        {"inputs": {"image_bytes": [{"b64": ..}]}}
    GET  /v1/models/caption             state of the model; /metadata: its signature
    GET  /healthz, /readyz              the process lives; the model has run once

Every error is `{"error": "..."}` in words: no path, traceback or TensorFlow message
goes to a client. TensorFlow runs in one worker thread, so the event loop stays free.
Importing this module without the extra `serve` raises a UserError.
"""

import asyncio
import base64
import contextlib
import importlib.resources
import json
import logging
import socket
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from records.errors import UserError
from tfcap.captioning import (
    CAPTION,
    INPUT,
    SCORE,
    SIGNATURE,
    Captioned,
    Captioner,
    caption_within,
)

try:
    import uvicorn
    from python_multipart.exceptions import FormParserError
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.exceptions import HTTPException
    from starlette.middleware import Middleware
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import HTMLResponse, JSONResponse, Response
    from starlette.routing import Route
except ImportError as error:
    raise UserError(
        f"serving needs the package {error.name}: pip install 'tfcap[serve]'"
    ) from None

MODEL = "caption"
MAX_BODY_BYTES = 32 << 20
MAX_PHOTOS = 16
MAX_PIXELS = 50_000_000  # of one photo, and of what is decoded at a time


def serve(model_directory: str, host: str = "127.0.0.1", port: int = 8501) -> None:
    """Serves the exported model in `model_directory` until Ctrl-C; port 0: a free one.

    Raises:
        UserError: there is no exported model there, or the address cannot be had.
    """
    # The address first: finding out that it is taken should not wait for TensorFlow.
    with _listen(host, port) as listener:
        app = create_app(Captioner.load(model_directory))
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}"
        print(f"captions at {address} (Ctrl-C stops)", file=sys.stderr, flush=True)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


def create_app(captioner: Captioner) -> Starlette:
    """The application around a captioner, or anything with its methods and `version`.

    The model's first run takes seconds: it starts with the application, and until it
    is over `/readyz` says 503.
    """
    service = _Service(captioner)
    model = f"/v1/models/{MODEL}"
    return Starlette(
        routes=[
            Route("/", service.page),
            Route("/caption", service.upload, methods=["POST"]),
            Route(f"{model}:predict", service.predict, methods=["POST"]),
            Route(model, service.status),
            Route(f"{model}/metadata", service.metadata),
            Route("/healthz", service.healthz),
            Route("/readyz", service.readyz),
        ],
        middleware=[Middleware(_BodyLimit)],
        exception_handlers={
            HTTPException: _on_http_error,
            404: _answer(404, f"nothing is here; the only model is {MODEL!r}"),
            FormParserError: _answer(400, "the body is not multipart form data"),
            ClientDisconnect: _answer(499, "the client has gone"),
            # Raised again after the answer: the log has the traceback.
            Exception: _answer(500, "internal error"),
        },
        lifespan=service.lifespan,
    )


class _Service:
    """The routes, around one captioner and the one thread that runs it."""

    def __init__(self, captioner: Captioner):
        self._captioner = captioner
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="captioner")
        self._warm_up: Future | None = None
        page = importlib.resources.files("tfcap").joinpath("pages", "caption.html")
        limit = f'data-max-bytes="{MAX_BODY_BYTES}"'
        self._page = page.read_text("utf-8").replace('data-max-bytes="0"', limit)

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette):
        self._warm_up = self._worker.submit(self._captioner.warm_up)
        self._warm_up.add_done_callback(_log_failure)
        yield
        self._worker.shutdown(cancel_futures=True)

    async def page(self, request: Request) -> Response:
        return HTMLResponse(self._page)

    async def upload(self, request: Request) -> Response:
        async with request.form(max_files=MAX_PHOTOS, max_fields=MAX_PHOTOS) as form:
            files = form.getlist("photo")
            if not files or any(isinstance(file, str) for file in files):
                raise HTTPException(400, 'send one or more files in the field "photo"')
            # A multipart header may declare a charset that yields lone surrogates.
            names = [f.filename.encode("utf-8", "replace").decode() for f in files]
            results = await self._caption([await file.read() for file in files])
        rows = [_row(name, result) for name, result in zip(names, results)]
        return JSONResponse({"captions": rows})

    async def predict(self, request: Request) -> Response:
        body = await request.body()
        form, photos = await run_in_threadpool(read_predict_request, body)
        results = await self._caption(photos)
        for i, result in enumerate(results):
            if result.error:
                raise HTTPException(400, f"{form}[{i}]: {result.error}")
        rows = [{CAPTION: result.caption, SCORE: result.score} for result in results]
        if form == "instances":
            return JSONResponse({"predictions": rows})
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        return JSONResponse({"outputs": columns})

    async def status(self, request: Request) -> Response:
        status = {"error_code": "OK", "error_message": ""}
        version = {"version": self._captioner.version, "state": "AVAILABLE"}
        return JSONResponse({"model_version_status": [{**version, "status": status}]})

    async def metadata(self, request: Request) -> Response:
        return JSONResponse(_metadata(self._captioner.version))

    async def healthz(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        if self._warm_up is None or not self._warm_up.done():
            raise HTTPException(503, "the model is starting")
        if self._warm_up.cancelled() or self._warm_up.exception():
            raise HTTPException(503, "the model does not run")
        return JSONResponse({"status": "ready"})

    async def _caption(self, photos: Sequence[bytes]) -> list[Captioned]:
        return await asyncio.get_running_loop().run_in_executor(
            self._worker, caption_within, self._captioner, photos, MAX_PIXELS
        )


def read_predict_request(body: bytes) -> tuple[str, list[bytes]]:
    """Reads the body of a predict request in TensorFlow Serving's REST form.

    Returns:
        `instances` (rows) or `inputs` (columns), whichever was sent, and the photos.

    Raises:
        HTTPException: status 400; says what is wrong and where.
    """
    request = _read_object(body)
    forms = {"instances", "inputs"} & set(request)
    if len(forms) != 1:
        raise HTTPException(400, 'the body must hold either "instances" or "inputs"')
    form = forms.pop()
    values = request[form] if form == "instances" else _unwrap(request[form])
    if not isinstance(values, list) or not values:
        raise HTTPException(400, f"{form} must be a list of one photo or more")
    if len(values) > MAX_PHOTOS:
        raise HTTPException(400, f"{len(values)} photos; at most {MAX_PHOTOS} fit")
    if form == "instances":
        values = map(_unwrap, values)
    return form, [_photo_bytes(value, f"{form}[{i}]") for i, value in enumerate(values)]


def _read_object(body: bytes) -> dict[str, Any]:
    try:
        request = json.loads(body)
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not JSON") from None
    if not isinstance(request, dict):
        raise HTTPException(400, "the body is not a JSON object")
    if request.get("signature_name", SIGNATURE) not in (SIGNATURE, ""):
        raise HTTPException(400, f"the model's only signature is {SIGNATURE!r}")
    return request


def _unwrap(value: Any) -> Any:
    """`{"image_bytes": value}` to `value`; anything else stays."""
    named = isinstance(value, dict) and set(value) == {INPUT}
    return value[INPUT] if named else value


def _photo_bytes(value: Any, where: str) -> bytes:
    encoded = value.get("b64") if isinstance(value, dict) else None
    if not isinstance(encoded, str) or len(value) != 1:
        raise HTTPException(400, f'{where} must be a photo as {{"b64": "..."}}')
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError:
        raise HTTPException(400, f"{where}: b64 is not base64") from None


class _BodyLimit:
    """ASGI middleware: a body over MAX_BODY_BYTES is 413, announced or not."""

    def __init__(self, app):
        self._app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"")
        left = MAX_BODY_BYTES
        refused = announced.isdigit() and int(announced) > left

        # Raised where the route reads its body, so that the route's handlers answer.
        async def receive_within_limit():
            nonlocal left
            message = {} if refused else await receive()
            left -= len(message.get("body", b""))
            if refused or left < 0:
                mebibytes = MAX_BODY_BYTES / 2**20
                raise HTTPException(413, f"more than {mebibytes:g} MiB in one request")
            return message

        await self._app(scope, receive_within_limit, send)


def _row(name: str, result: Captioned) -> dict[str, Any]:
    row = {"file": name, **vars(result)}
    return {**row, "score": None} if result.error else row


def _metadata(version: str) -> dict[str, Any]:
    """The signature as TensorFlow Serving describes it."""
    shape = {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}
    strings = {"dtype": "DT_STRING", "tensor_shape": shape}
    floats = {"dtype": "DT_FLOAT", "tensor_shape": shape}
    signature = {
        "inputs": {INPUT: strings},
        "outputs": {CAPTION: strings, SCORE: floats},
        "method_name": "tensorflow/serving/predict",
    }
    model = {"name": MODEL, "signature_name": "", "version": version}
    signatures = {"signature_def": {SIGNATURE: signature}}
    return {"model_spec": model, "metadata": {"signature_def": signatures}}


def _log_failure(future: Future) -> None:
    if not future.cancelled() and (error := future.exception()):
        logging.error("the model does not run", exc_info=error)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"cannot listen on {host}, port {port}: {reason}; try another --port"
        ) from None


async def _on_http_error(request: Request, error: HTTPException) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


def _answer(status: int, text: str):
    async def handler(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": text}, status)

    return handler
