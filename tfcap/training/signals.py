"""Stops a run on Ctrl-C or SIGTERM, after its state is saved."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

STDERR = 2
SIGNALS = (signal.SIGINT, signal.SIGTERM)
NOTE = b"stopping at the next step, its state saved; Ctrl-C again stops at once\n"


class StopTraining(Exception):  # noqa: N818
    """A signal asked the run to stop."""


@contextmanager
def handled_by(handler: Callable[[int, object], None]) -> Iterator[None]:
    """Calls a function on Ctrl-C and SIGTERM while the body runs."""
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


class StopRequest:
    """A request to stop, by Ctrl-C or SIGTERM: use it with `handled_by(stop.note)`.

    Attributes:
        signal: the first signal; None before.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def note(self, number: int, _: object) -> None:
        if self.signal is None:
            self.signal = signal.Signals(number)
        # The next Ctrl-C has its default action and ends the process even inside a
        # step. A Python handler would run only after the step.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.write(STDERR, NOTE)

    def raise_if_stopped(self) -> None:
        """Raises StopTraining if a signal has come."""
        if self.signal is not None:
            raise StopTraining

    def raise_if_any_stopped(self, signals: list[int]) -> None:
        """Raises StopTraining if any worker has had a signal.

        Args:
            signals: the signal of each worker, 0 for none.
        """
        if any(signals):
            self.signal = signal.Signals(max(signals))
            raise StopTraining
