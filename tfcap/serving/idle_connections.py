"""Closes connections on which nothing happens."""

import time
from typing import Any


class IdleConnectionCloser:
    """A closer of connections whose client neither asks nor reads.

    uvicorn has no such limit. A request has arrived when its headers have; another
    limit holds for its body. An answer has been read when nothing of it is left to
    send. To close a connection would wait for that, so it is aborted.

    Args:
        connections: uvicorn's set of open connections, which changes with time.
        seconds: time limit for a request to arrive, from the last answer or the first
            byte, and for an answer to be read.
    """

    def __init__(self, connections: set[Any], seconds: float):
        self._connections, self._seconds = connections, seconds
        self._since: dict[tuple, float] = {}

    async def close(self) -> None:
        """Closes what has been idle for too long; the server calls it every second."""
        now = time.monotonic()
        waiting = {}
        for connection in self._connections:
            # `cycle` is the newest request of a connection; each request has its own.
            transport, cycle = connection.transport, connection.cycle
            if transport.get_write_buffer_size():
                waiting[connection, "unread"] = transport.abort
            elif cycle is None or cycle.response_complete:
                waiting[connection, cycle] = transport.close
        self._since = {key: self._since.get(key, now) for key in waiting}
        for key, since in self._since.items():
            if now - since > self._seconds:
                waiting[key]()
