"""Which connections are ended, on uvicorn's objects as far as they are looked at."""

import asyncio
from types import SimpleNamespace

import pytest

pytest.importorskip("starlette", reason="needs the extra: pip install 'tfcap[serve]'")

from tfcap.serving import idle_connections


class Connection:
    """Its own transport as well."""

    def __init__(self, cycle=None, unread=0):
        self.cycle, self.transport, self.unread = cycle, self, unread
        self.ended = None

    def get_write_buffer_size(self) -> int:
        return self.unread

    def close(self):
        self.ended = "closed"

    def abort(self):
        self.ended = "aborted"


def answered(complete=True):
    cycle = type("Cycle", (), {})()  # each another key
    cycle.response_complete = complete
    return cycle


@pytest.fixture
def pass_time(monkeypatch):
    """Sets the clock, and has connections looked at."""
    clock = SimpleNamespace(monotonic=lambda: clock.now)
    monkeypatch.setattr(idle_connections, "time", clock)

    def pass_time(watch, *times):
        for clock.now in times:
            asyncio.run(watch.close())

    return pass_time


def test_only_those_that_ask_for_nothing_are_closed(pass_time):
    never, done, working = Connection(), Connection(answered()), Connection()
    busy = Connection(answered())
    working.cycle = answered(complete=False)
    all_of_them = {never, done, working, busy}
    watch = idle_connections.IdleConnectionCloser(all_of_them, seconds=10)
    pass_time(watch, 0, 9)
    busy.cycle = answered()  # it has asked again, and been answered
    pass_time(watch, 11)
    ended = [one.ended for one in (never, done, working, busy)]
    assert ended == ["closed", "closed", None, None]


@pytest.mark.parametrize("complete", [True, False])
def test_only_those_that_read_nothing_are_aborted(pass_time, complete):
    never, slow = (Connection(answered(complete), unread=9) for _ in range(2))
    watch = idle_connections.IdleConnectionCloser({never, slow}, seconds=10)
    pass_time(watch, 0, 9)
    slow.unread = 0
    pass_time(watch, 10)
    slow.unread = 9  # of the next answer
    pass_time(watch, 11, 19)
    assert [one.ended for one in (never, slow)] == ["aborted", None]
