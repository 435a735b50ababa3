"""Limits the size and the number of requests, and checks their token."""

import hmac

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tfcap.config.serving import ServingConfig
from tfcap.serving.bodies import too_large

OPEN = ("/", "/healthz", "/readyz", "/openapi.json")  # without a token
RETRY_AFTER = {"Retry-After": "1"}
BUSY = "too many requests are waiting; try again in a moment"


class BodyLimit:
    """ASGI middleware that limits bodies.

    It answers 413 to a body over `config.max_body_bytes`, whether its length is
    announced or not, and 503 when all bodies in memory exceed
    `config.max_waiting_bytes`. A route adds the size of a decompressed body by
    `request.state.hold(bytes)`.
    """

    def __init__(self, app: ASGIApp, config: ServingConfig):
        self._app, self._config, self._held = app, config, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        most, held = self._config.max_body_bytes, 0
        announced = dict(scope["headers"]).get(b"content-length", b"")
        refused = announced.isdigit() and int(announced) > most

        def hold(size: int) -> None:
            nonlocal held
            held, self._held = held + size, self._held + size
            if self._held > self._config.max_waiting_bytes:
                raise HTTPException(503, BUSY, RETRY_AFTER)

        # Raised where the route reads its body, so that the route's handlers answer.
        async def receive_within_limit() -> Message:
            message = {} if refused else await receive()
            hold(len(message.get("body", b"")))
            if refused or held > most:
                raise too_large(most)
            return message

        scope.setdefault("state", {})["hold"] = hold
        try:
            await self._app(scope, receive_within_limit, send)
        finally:
            self._held -= held


class RequestLimit:
    """ASGI middleware that answers 503 beyond `config.requests` POSTs at a time."""

    def __init__(self, app: ASGIApp, config: ServingConfig):
        self._app, self._most, self._count = app, config.requests, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            return await self._app(scope, receive, send)
        if self._count >= self._most:
            return await refusal(503, BUSY, RETRY_AFTER)(scope, receive, send)
        self._count += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._count -= 1


class Token:
    """ASGI middleware that answers 401 without `Authorization: Bearer TOKEN`.

    Args:
        app: the application.
        token: the word that clients must send; None turns the check off.
    """

    def __init__(self, app: ASGIApp, token: str | None):
        self._app = app
        self._expected = token and token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_open = scope["type"] != "http" or scope["path"] in OPEN
        if is_open or not self._expected:
            return await self._app(scope, receive, send)
        header = dict(scope["headers"]).get(b"authorization", b"")
        scheme, _, word = header.partition(b" ")
        is_right = hmac.compare_digest(word.strip(), self._expected)
        if scheme.lower() != b"bearer" or not is_right:
            challenge = {"WWW-Authenticate": "Bearer"}
            text = "this server asks for a token: Authorization: Bearer TOKEN"
            return await refusal(401, text, challenge)(scope, receive, send)
        await self._app(scope, receive, send)


def refusal(status: int, text: str, headers: dict[str, str]) -> JSONResponse:
    return JSONResponse({"error": text}, status, headers)
