"""Connections that hold a place and ask for nothing."""

import time


class SilentConnections:
    """Closes connections on which no request arrives; uvicorn would wait for ever.

    A request has arrived when its headers have: its body has a limit of its own.

    Args:
        connections: uvicorn's own set of them, as it is at any time.
        seconds: that a request has to arrive, from the last answer or the first byte.
    """

    def __init__(self, connections: set, seconds: float):
        self._connections, self._seconds = connections, seconds
        self._since: dict[tuple, float] = {}

    async def close(self) -> None:
        """To be called now and then."""
        now = time.monotonic()
        # `cycle` is the newest request of a connection, another one for each.
        silent = [
            (connection, connection.cycle)
            for connection in self._connections
            if connection.cycle is None or connection.cycle.response_complete
        ]
        self._since = {one: self._since.get(one, now) for one in silent}
        for (connection, _), since in self._since.items():
            if now - since > self._seconds:
                connection.transport.close()
