"""Starts the server, and shuts it down gracefully."""

import contextlib
import logging
import signal
import socket

import uvicorn
from starlette.applications import Starlette

from records.errors import UserError
from records.status_line import status_line
from records.storage.files import read_file
from tfcap.config.serving import ServingConfig
from tfcap.inference.captioner import Captioner
from tfcap.serving.app import create_app
from tfcap.serving.idle_connections import IdleConnectionCloser

LOGGER = logging.getLogger(__name__)
AFTER_LAST_ANSWER = 5  # seconds beyond a request's time limit, at shutdown


def serve(
    model_directory: str,
    host: str = "127.0.0.1",
    port: int = 8501,
    config: ServingConfig | None = None,
    token_file: str | None = None,
) -> None:
    """Serves the exported model in `model_directory` until Ctrl-C or SIGTERM.

    It then accepts no new connections, and ends when all open requests are answered.

    >>> from tfcap.serving import serve
    >>> serve("export/demo", port=8501)  # until Ctrl-C

    Args:
        model_directory: Directory that `tfcap export` wrote.
        host: Address to listen on.
        port: Port to listen on; 0: any free port.
        config: Limits of the server.
        token_file: File with a word that clients must send as `Authorization: Bearer`.

    Raises:
        UserError: There is no exported model, or the address is not available.
    """
    config, token = config or ServingConfig(), read_token(token_file)
    # The address comes first, so that a taken one is reported before TensorFlow loads.
    with listen(host, port) as listener:
        with status_line("loading the model"):
            app = create_app(Captioner(model_directory), config, token)
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}"
        LOGGER.info("captions at %s (Ctrl-C stops)", address)
        server = make_server(app, config)
        # uvicorn raises the signal again at its end, which would look like a failure.
        signal.signal(signal.SIGTERM, lambda *_: None)
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


def make_server(app: Starlette, config: ServingConfig) -> uvicorn.Server:
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=round(config.seconds) + AFTER_LAST_ANSWER,
            timeout_notify=1,
        )
    )
    connections = server.server_state.connections
    closer = IdleConnectionCloser(connections, config.seconds)
    server.config.callback_notify = closer.close  # every `timeout_notify` seconds
    return server


def read_token(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        token = read_file(path).decode().strip()
    except (OSError, UnicodeDecodeError):
        raise UserError(f"--token_file: {path} cannot be read as text") from None
    if not token or not token.isascii():
        raise UserError(f"--token_file: {path} must hold one word of ASCII")
    return token


def listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=512)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"cannot listen on {host}, port {port}: {reason}; try another --port"
        ) from None
