"""Metrics for Prometheus, served at /metrics."""

import time
from collections.abc import Iterable
from functools import partial

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
BATCHES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The metrics of one application."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        counter = partial(Counter, registry=registry)
        histogram = partial(Histogram, registry=registry)
        self.requests = counter(
            "tfcap_requests", "Requests answered", ["route", "status"]
        )
        self.seconds = histogram(
            "tfcap_request_seconds",
            "From a request's first byte to its answer",
            ["route"],
            buckets=SECONDS,
        )
        self.photos = counter("tfcap_photos", "Photos by outcome", ["outcome"])
        self.batch = histogram(
            "tfcap_batch_photos", "Photos in a batch", buckets=BATCHES
        )
        self.model = histogram(
            "tfcap_model_seconds", "A run of the model", buckets=SECONDS
        )
        self.queue = Gauge(
            "tfcap_queue_photos", "Photos waiting or being captioned", registry=registry
        )

    def count_photos(self, captioned: Iterable[bool]) -> None:
        for success in captioned:
            self.photos.labels("captioned" if success else "error").inc()

    def answer(self) -> Response:
        content = generate_latest(self.registry)
        return Response(content, headers={"Content-Type": CONTENT_TYPE_LATEST})


class Measured:
    """ASGI middleware that counts and times requests by route."""

    def __init__(self, app: ASGIApp, metrics: Metrics):
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        started, status = time.perf_counter(), 499  # for a client that disconnected

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            endpoint = scope.get("endpoint")
            route = getattr(endpoint, "__name__", "none")
            self._metrics.requests.labels(route, status).inc()
            self._metrics.seconds.labels(route).observe(time.perf_counter() - started)
