"""Which connections are closed, on uvicorn's objects as far as they are looked at."""

import asyncio
from types import SimpleNamespace

import pytest

pytest.importorskip("starlette", reason="needs the extra: pip install 'tfcap[serve]'")

from tfcap.serving import silent


class Connection:
    def __init__(self, cycle=None):
        self.cycle, self.transport, self.closed = cycle, self, False

    def close(self):
        self.closed = True


def answered(complete=True):
    cycle = type("Cycle", (), {})()  # each another key
    cycle.response_complete = complete
    return cycle


def test_only_those_that_ask_for_nothing_are_closed(monkeypatch):
    clock = SimpleNamespace(monotonic=lambda: clock.now)
    monkeypatch.setattr(silent, "time", clock)
    never, done, working = Connection(), Connection(answered()), Connection()
    busy = Connection(answered())
    working.cycle = answered(complete=False)
    all_of_them = {never, done, working, busy}
    watch = silent.SilentConnections(all_of_them, seconds=10)
    for clock.now in (0, 9):
        asyncio.run(watch.close())
    busy.cycle = answered()  # it has asked again, and been answered
    clock.now = 11
    asyncio.run(watch.close())
    closed = [one.closed for one in (never, done, working, busy)]
    assert closed == [True, True, False, False]
