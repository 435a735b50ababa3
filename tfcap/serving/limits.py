"""What a client may send: how much, how many at a time, and by whose leave."""

import hmac

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from tfcap.config import ServingConfig

OPEN = ("/", "/healthz", "/readyz", "/openapi.json")  # without a token
RETRY_AFTER = {"Retry-After": "1"}


class BodyLimit:
    """ASGI middleware: a body over `config.max_body_bytes` is 413, announced or not."""

    def __init__(self, app, config: ServingConfig):
        self._app, self._most = app, config.max_body_bytes

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        announced = dict(scope["headers"]).get(b"content-length", b"")
        left = self._most
        refused = announced.isdigit() and int(announced) > left

        # Raised where the route reads its body, so that the route's handlers answer.
        async def receive_within_limit():
            nonlocal left
            message = {} if refused else await receive()
            left -= len(message.get("body", b""))
            if refused or left < 0:
                mebibytes = self._most / 2**20
                raise HTTPException(413, f"more than {mebibytes:g} MiB in one request")
            return message

        await self._app(scope, receive_within_limit, send)


class RequestLimit:
    """ASGI middleware: at most `config.requests` with a body at a time; 503 beyond."""

    def __init__(self, app, config: ServingConfig):
        self._app, self._most, self._count = app, config.requests, 0

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http" or scope["method"] != "POST":
            return await self._app(scope, receive, send)
        if self._count >= self._most:
            return await refuse(503, BUSY, scope, receive, send, RETRY_AFTER)
        self._count += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._count -= 1


class Token:
    """ASGI middleware: 401 without `Authorization: Bearer TOKEN`, if there is one."""

    def __init__(self, app, token: str | None):
        self._app = app
        self._expected = token and f"Bearer {token}".encode()

    async def __call__(self, scope, receive, send):
        wanted = scope["type"] == "http" and self._expected
        if not wanted or scope["path"] in OPEN:
            return await self._app(scope, receive, send)
        sent = dict(scope["headers"]).get(b"authorization", b"")
        if not hmac.compare_digest(sent, self._expected):
            challenge = {"WWW-Authenticate": "Bearer"}
            text = "this server asks for a token: Authorization: Bearer TOKEN"
            return await refuse(401, text, scope, receive, send, challenge)
        await self._app(scope, receive, send)


BUSY = "too many requests are waiting; try again in a moment"


async def refuse(status, text, scope, receive, send, headers) -> None:
    await JSONResponse({"error": text}, status, headers)(scope, receive, send)
