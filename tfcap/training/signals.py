"""Stops a run on Ctrl-C or SIGTERM, after its state is saved."""

import os
import signal

STDERR = 2
SIGNALS = (signal.SIGINT, signal.SIGTERM)
NOTE = b"stopping at the next step, its state saved; Ctrl-C again stops at once\n"


class StopTraining(Exception):  # noqa: N818
    """A signal asked the run to stop."""


class StopRequest:
    """A context manager that records Ctrl-C and SIGTERM.

    Attributes:
        signal: the first signal; None before.
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
