"""Starts the workers of a run, watches them, stops them together, starts them again.

Each worker runs under a guard (`guard.py`), on this machine or on another through ssh.
Its output is copied line by line, with its number in front. A signal to this process is
passed on to all. If one fails, all are stopped, and start again if restarts are left.
"""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from threading import Lock, Thread
from typing import TextIO

from records.console import visible
from records.interrupts import INTERRUPTED
from records.wording import counted
from tfcap.training.distributed.hosts import SSH_FAILED, Command
from tfcap.training.signals import handled_by

LOGGER = logging.getLogger(__name__)
WRONG_USAGE = 2
STOPPED = {signal.SIGTERM: os.EX_TEMPFAIL, signal.SIGINT: INTERRUPTED}
PROPER_ENDS = (0, *STOPPED.values())
POLL = 0.1  # seconds
MARGIN = 5.0  # seconds that a guard may take longer than its worker
WRITING = Lock()


class Worker:
    """A running worker, seen through its guard.

    Args:
        number: its place among the workers; 0 is the chief.
        command: starts its guard.
    """

    def __init__(self, number: int, command: Command):
        self.name, self.number = command.name, number
        self.printed = time.monotonic()
        self.guard = subprocess.Popen(
            command.argv,
            env={**os.environ, **command.environment},
            # Ctrl-C comes to this process alone, which passes it on.
            start_new_session=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.copies = [
            Thread(target=self.copy, args=(lines or (), to), daemon=True)
            for lines, to in (
                (self.guard.stdout, sys.stdout),
                (self.guard.stderr, sys.stderr),
            )
        ]
        for thread in self.copies:
            thread.start()

    def copy(self, lines: Iterable[bytes], to: TextIO) -> None:
        """Copies lines of output, with the worker's number in front."""
        for line in lines:
            self.printed = time.monotonic()
            text = visible(line.decode(errors="replace").rstrip("\r\n"))
            with WRITING:
                to.write(f"[worker {self.number}] {text}\n")
                to.flush()

    @property
    def code(self) -> int | None:
        """Returns the exit code, or 128 plus a signal's number; None while it runs."""
        code = self.guard.poll()
        return code if code is None or code >= 0 else 128 - code

    def send(self, number: int) -> None:
        """Sends a signal to the worker."""
        if self.guard.stdin and not self.guard.stdin.closed:
            with suppress(BrokenPipeError, ValueError):
                os.write(self.guard.stdin.fileno(), bytes([number]))

    def stop(self) -> None:
        """Tells the guard to end the worker."""
        if self.guard.stdin:
            self.guard.stdin.close()

    def close(self) -> None:
        """Kills the guard, or ssh, if it still runs; waits for the output's end."""
        self.guard.kill()
        self.guard.wait()
        for thread in self.copies:
            thread.join(timeout=MARGIN)


@dataclass(frozen=True)
class Failure:
    """The reason why the workers are stopped.

    Attributes:
        code: the exit code of this command.
        text: what failed, and how.
    """

    code: int
    text: str


class Launcher:
    """The workers of a run, from their start to their end.

    Args:
        commands: returns the command of each worker, the chief's first; called at each
            start, because ports may be taken meanwhile.
        restarts: how often all start again after a failure.
        hang_timeout: seconds without a line from any worker that are a failure.
        grace: seconds that a guard leaves a worker to end after SIGTERM.
    """

    def __init__(
        self,
        commands: Callable[[], Sequence[Command]],
        restarts: int = 0,
        hang_timeout: float = inf,
        grace: float = 10.0,
    ):
        self.commands, self.restarts = commands, restarts
        self.hang_timeout, self.grace = hang_timeout, grace
        self.workers: list[Worker] = []
        self.signal: signal.Signals | None = None

    def run(self) -> int:
        """Runs the workers to their end; returns the exit code of this command."""
        with handled_by(self.pass_on):
            while failure := self.run_once():
                if self.signal or not self.restarts or failure.code == WRONG_USAGE:
                    return failure.code
                self.restarts -= 1
                left = counted(self.restarts, "restart")
                LOGGER.info("starting again from the last checkpoint, %s left", left)
        return self.exit_code()

    def run_once(self) -> Failure | None:
        """Starts all workers and waits for their end, or for a failure."""
        self.workers = []
        try:
            for number, command in enumerate(self.commands()):
                self.workers.append(Worker(number, command))
                if self.signal:  # it came while the worker started
                    self.workers[-1].send(self.signal)
            failure = self.wait()
            if failure:
                LOGGER.error("error: %s; stopping all workers", failure.text)
            return failure
        finally:
            self.stop()

    def pass_on(self, number: int, _: object) -> None:
        """Sends a signal to all workers."""
        self.signal = signal.Signals(number)
        for worker in self.workers:
            worker.send(number)

    def wait(self) -> Failure | None:
        while any(worker.code is None for worker in self.workers):
            if failure := self.failure():
                return failure
            time.sleep(POLL)
        return self.failure()

    def failure(self) -> Failure | None:
        """Returns the first failure; None if there is none."""
        proper = (None, *PROPER_ENDS, 128 + (self.signal or 0))
        for worker in self.workers:
            code = worker.code
            if code is not None and code not in proper:
                return Failure(code, f"{worker.name} {how_it_ended(code)}")
        printed = max(worker.printed for worker in self.workers)
        if time.monotonic() - printed > self.hang_timeout:
            text = f"no worker has printed a line for {self.hang_timeout:g} s"
            return Failure(os.EX_SOFTWARE, text)
        return None

    def stop(self) -> None:
        """Stops the workers that still run."""
        for worker in self.workers:
            worker.stop()
        until = time.monotonic() + self.grace + MARGIN
        while time.monotonic() < until and None in [w.code for w in self.workers]:
            time.sleep(POLL)
        for worker in self.workers:
            worker.close()

    def exit_code(self) -> int:
        """Returns the exit code of workers that have all ended properly."""
        code = max(worker.code or 0 for worker in self.workers)
        return STOPPED[self.signal] if code and self.signal else code


def how_it_ended(code: int) -> str:
    """Describes an exit code of a guard.

    >>> how_it_ended(3), how_it_ended(137)
    ('failed with exit code 3', 'was ended by SIGKILL')
    """
    if code == SSH_FAILED:
        return "was lost: its connection has ended"
    if code > 128:
        return f"was ended by {signal.Signals(code - 128).name}"
    return f"failed with exit code {code}"
