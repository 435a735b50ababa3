"""Connections that hold a place and let the server wait."""

import time


class IdleConnectionCloser:
    """Ends connections whose client neither asks nor reads; uvicorn has no limit.

    A request has arrived when its headers have: its body has a limit of its own. An
    answer has been read when nothing of it is left to send. Closing would wait until
    it is, so the connection is aborted.

    Args:
        connections: uvicorn's own set of them, as it is at any time.
        seconds: that a request has to arrive, from the last answer or the first byte,
            and that an answer has to be read.
    """

    def __init__(self, connections: set, seconds: float):
        self._connections, self._seconds = connections, seconds
        self._since: dict[tuple, float] = {}

    async def close(self) -> None:
        """To be called now and then."""
        now = time.monotonic()
        waiting = {}
        for connection in self._connections:
            # `cycle` is the newest request of a connection, another one for each.
            transport, cycle = connection.transport, connection.cycle
            if transport.get_write_buffer_size():
                waiting[connection, "unread"] = transport.abort
            elif cycle is None or cycle.response_complete:
                waiting[connection, cycle] = transport.close
        self._since = {one: self._since.get(one, now) for one in waiting}
        for one, since in self._since.items():
            if now - since > self._seconds:
                waiting[one]()
