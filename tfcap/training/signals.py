"""Stopping a run from outside: its state is saved first."""

import os
import signal

STDERR = 2
SIGNALS = (signal.SIGINT, signal.SIGTERM)
NOTE = b"stopping at the next step, its state saved; Ctrl-C again stops at once\n"


class StopTraining(Exception):  # noqa: N818
    """A signal asked the run to stop."""


class StopRequest:
    """Notes Ctrl-C and SIGTERM while it is open; a context manager.

    Attributes:
        signal: the first one that came; None so far.
    """

    def __init__(self):
        self.signal: signal.Signals | None = None

    def __enter__(self) -> "StopRequest":
        self.before = {number: signal.signal(number, self.note) for number in SIGNALS}
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def note(self, number: int, _) -> None:
        if self.signal is None:
            self.signal = signal.Signals(number)
        # From now on Ctrl-C is the operating system's: it ends the process even inside
        # a step, which no handler of ours could.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.write(STDERR, NOTE)

    def raise_if_stopped(self) -> None:
        """Raises StopTraining if a signal has come."""
        if self.signal is not None:
            raise StopTraining

    def raise_if_any_stopped(self, signals: list[int]) -> None:
        """The same for the signals that any of several workers has had; 0 is none."""
        if any(signals):
            self.signal = signal.Signals(max(signals))
            raise StopTraining
