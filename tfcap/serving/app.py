"""The HTTP routes, with one captioner and one thread that runs it."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from tfcap.config.serving import ServingConfig
from tfcap.inference.captioner import Captioned, Captioner, Explained
from tfcap.inference.photo_limits import Row, ScreenedPhotos, screen
from tfcap.serving import openapi, page, tf_serving_api
from tfcap.serving.batching import Batcher, Full
from tfcap.serving.bodies import File, read_files, unpack
from tfcap.serving.metrics import Measured, Metrics
from tfcap.serving.middleware import BUSY, RETRY_AFTER, BodyLimit, RequestLimit, Token
from tfcap.serving.tf_serving_api import MODEL

LOGGER = logging.getLogger(__name__)
READERS = 2  # threads that read bodies and photo headers
GONE = 499  # nginx's status for a client that closed the connection
TOO_LARGE = {"too_many_pixels", "too_costly"}  # reasons of a PhotoProblem
Handler = Callable[[Request, Exception], Awaitable[Response]]


def create_app(
    captioner: Captioner, config: ServingConfig | None = None, token: str | None = None
) -> Starlette:
    """Creates the ASGI application.

    The first run of each signature takes seconds. It starts with the application;
    `/readyz` answers 503 until it is over.

    >>> from tfcap import Captioner
    >>> from tfcap.serving import create_app
    >>> app = create_app(Captioner("export/demo"))
    >>> [route.path for route in app.routes][:3]
    ['/', '/caption', '/v1/models/caption:predict']

    Any ASGI server runs it, such as uvicorn.

    Args:
        captioner: A captioner, or any object with its methods and `version`.
        config: Limits of the server.
        token: Word that clients must send as `Authorization: Bearer`; None: no check.
    """
    config = config or ServingConfig()
    service = _Service(captioner, config, asks_for_token=bool(token))
    model = f"/v1/models/{MODEL}"
    version = f"{model}/versions/{captioner.version}"
    predict = [f"{model}:predict", f"{version}:predict"]
    return Starlette(
        routes=[
            Route("/", service.page),
            Route("/caption", service.upload, methods=["POST"]),
            *(Route(path, service.predict, methods=["POST"]) for path in predict),
            *(Route(path, service.status) for path in (model, version)),
            *(Route(f"{p}/metadata", service.metadata) for p in (model, version)),
            Route("/healthz", service.healthz),
            Route("/readyz", service.readyz),
            Route("/metrics", service.read_metrics),
            Route("/openapi.json", service.read_openapi),
        ],
        middleware=[
            Middleware(Measured, metrics=service.metrics),
            Middleware(Token, token=token),
            Middleware(RequestLimit, config=config),
            Middleware(BodyLimit, config=config),
        ],
        exception_handlers={
            HTTPException: _on_http_error,
            404: _answer(404, f"nothing is here; the only model is {MODEL!r}"),
            ClientDisconnect: _answer(GONE, "the client has gone"),
            # Starlette raises the error again after the answer, so it is in the log.
            Exception: _answer(500, "internal error"),
        },
        lifespan=service.lifespan,
    )


class _Service:
    def __init__(
        self, captioner: Captioner, config: ServingConfig, asks_for_token: bool
    ):
        self._captioner, self._config = captioner, config
        self.metrics = Metrics()
        self._readers = CapacityLimiter(READERS)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="captioner")
        self._batcher = Batcher(self._worker, config, self.metrics)
        self._warm_up: Future | None = None
        self._openapi = openapi.describe(config, captioner.version)
        self._page = page.render(config, asks_for_token, captioner.explains)

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self._warm_up = self._worker.submit(self._captioner.warm_up)
        self._warm_up.add_done_callback(_log_failure)
        working = asyncio.create_task(self._batcher.work())
        yield
        working.cancel()
        self._worker.shutdown(cancel_futures=True)

    async def page(self, request: Request) -> Response:
        return HTMLResponse(self._page, headers=page.headers())

    async def upload(self, request: Request) -> Response:
        explain = request.query_params.get("explain", "false").lower()
        if explain not in ("true", "false"):
            raise HTTPException(400, "explain must be true or false")
        if explain == "true" and not self._captioner.explains:
            raise HTTPException(
                400, "this model gives captions alone: leave explain out"
            )
        kind, most = request.headers.get("content-type", ""), self._config.max_photos
        files = await self._in_thread(
            read_files, await self._read_body(request), kind, most
        )
        photos = [file.content for file in files]
        if explain == "true":
            return _answer_upload(files, await self._explained(request, photos))
        return _answer_upload(files, await self._captioned(request, photos))

    async def predict(self, request: Request) -> Response:
        read, most = tf_serving_api.read_predict_request, self._config.max_photos
        form, photos = await self._in_thread(read, await self._read_body(request), most)
        results = await self._captioned(request, photos)
        return JSONResponse(tf_serving_api.predictions(form, results))

    async def _read_body(self, request: Request) -> bytes:
        """Returns the whole decompressed body; nothing else refers to it."""
        coding = ", ".join(request.headers.getlist("content-encoding"))
        packed = await self._in_time(_arrived(request), 408)
        most = self._config.max_body_bytes
        body = await self._in_thread(unpack, packed, coding, most)
        request.state.hold(len(body) - len(packed))
        return body

    async def _in_thread(self, read: Callable, *args: Any) -> Any:
        """Runs a reader in one of a few threads, to keep the event loop free."""
        return await to_thread.run_sync(read, *args, limiter=self._readers)

    async def status(self, request: Request) -> Response:
        return JSONResponse(tf_serving_api.status(self._captioner.version))

    async def metadata(self, request: Request) -> Response:
        return JSONResponse(tf_serving_api.metadata(self._captioner.version))

    async def healthz(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        if self._warm_up is None or not self._warm_up.done():
            raise HTTPException(503, "the model is starting")
        if self._warm_up.cancelled() or self._warm_up.exception():
            raise HTTPException(503, "the model does not run")
        return JSONResponse({"status": "ready"})

    async def read_metrics(self, request: Request) -> Response:
        return self.metrics.answer()

    async def read_openapi(self, request: Request) -> Response:
        return JSONResponse(self._openapi)

    async def _captioned(
        self, request: Request, photos: Sequence[bytes]
    ) -> list[Captioned]:
        run = self._captioner.caption_batch
        return await self._results(request, photos, run, Captioned.failed)

    async def _explained(
        self, request: Request, photos: Sequence[bytes]
    ) -> list[Explained]:
        run = self._captioner.explain_batch
        return await self._results(request, photos, run, Explained.failed)

    async def _results(
        self,
        request: Request,
        photos: Sequence[bytes],
        run: Callable[[Sequence[bytes]], list[Row]],
        failed: Callable[[str], Row],
    ) -> list[Row]:
        """Captions photos from strangers; headers are checked before any is decoded.

        Args:
            request: The request.
            photos: Its photos.
            run: Captions photos in one batch.
            failed: Makes the row of a photo that must not be decoded.

        Raises:
            HTTPException: No photo may be decoded, the queue is full, or time is up.
            ClientDisconnect: The client has gone.
        """
        screened = await self._in_thread(screen, photos, self._config.max_pixels)
        _check_request(screened, self._config)
        try:
            work = self._batcher.submit(run, screened.accepted, screened.costs)
            results = await self._in_time(_unless_gone(request, work), 504)
        except Full:
            raise HTTPException(503, BUSY, RETRY_AFTER) from None
        rows = screened.merge(results, failed)
        self.metrics.count_photos(row.error is None for row in rows)
        return rows

    async def _in_time(self, work: Awaitable, status: int) -> Any:
        seconds = self._config.seconds
        try:
            return await asyncio.wait_for(work, seconds)
        except asyncio.TimeoutError:
            what = "the body did not arrive" if status == 408 else "no caption"
            raise HTTPException(status, f"{what} within {seconds:g} s") from None


def _check_request(screened: ScreenedPhotos, config: ServingConfig) -> None:
    """Raises HTTPException if no photo may be decoded, or all cost too much."""
    problem, most = screened.problems[0], config.max_waiting_pixels
    if problem and not screened.accepted:
        status = 413 if problem.reason in TOO_LARGE else 415
        raise HTTPException(status, problem.describe())
    if sum(screened.costs) > most:
        raise HTTPException(
            413,
            f"more than {most:,} pixels in one request, the scans of progressive JPEGs "
            "counted",
        )


async def _arrived(request: Request) -> bytes:
    # `request.body()` would keep the body in memory as long as the request lasts.
    return b"".join([chunk async for chunk in request.stream()])


async def _unless_gone(request: Request, work: Awaitable) -> Any:
    """Waits for the work; cancels it if the client disconnects."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_until_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _answer_upload(
    files: Sequence[File], results: Sequence[Captioned | Explained]
) -> Response:
    rows = [_row(file.name, result) for file, result in zip(files, results)]
    return JSONResponse({"captions": rows})


def _row(name: str, result: Captioned | Explained) -> dict[str, Any]:
    if result.error:
        return {"file": name, "caption": "", "score": None, "error": result.error}
    if isinstance(result, Captioned):
        return {"file": name, **vars(result)}
    best = result.beams[0]
    beams = [{"caption": b.caption, "score": b.score} for b in result.beams]
    words = [
        {"word": word, "probability": probability}
        for word, probability in zip(result.words, result.probabilities)
    ]
    more = {"beams": beams, "words": words, "attention": result.attention}
    return {"file": name, **vars(best), **more, "fit": result.fit}


def _log_failure(future: Future) -> None:
    if not future.cancelled() and (error := future.exception()):
        LOGGER.error("the model does not run", exc_info=error)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


def _answer(status: int, text: str) -> Handler:
    async def handler(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": text}, status)

    return handler
