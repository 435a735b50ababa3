"""Runs one worker of `tfcap launch`, and ends it when its launcher is gone.

    python -m tfcap.training.distributed.guard GRACE COMMAND...

The launcher holds the other end of standard input, on this machine or through ssh. Each
byte is the number of a signal for the worker. The input ends when the launcher stops
the worker, when it is killed, and when the connection breaks. Then the worker gets
SIGTERM, and SIGKILL after GRACE seconds.

The worker's output is copied, so that a worker still saves its state when nobody reads.
The exit code is the worker's, or 128 and the number of the signal that ended it.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Thread

from tfcap.training.signals import handled_by

STDIN, STDOUT, STDERR = 0, 1, 2
PR_SET_PDEATHSIG = 1
BLOCK = 1 << 16


def guarded(command: Sequence[str], grace: float, python: str) -> list[str]:
    """Returns the command line that runs a command under a guard."""
    return [python, "-m", __name__, str(grace), *command]


def main(argv: Sequence[str]) -> int:
    """Runs the worker; returns its exit code."""
    worker = subprocess.Popen(
        argv[1:],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C of a terminal comes through the launcher
        preexec_fn=end_with_parent(),
    )
    copies = [
        in_background(copy, stream.fileno(), to)
        for stream, to in ((worker.stdout, STDOUT), (worker.stderr, STDERR))
        if stream
    ]
    with handled_by(lambda number, _: worker.send_signal(number)):
        in_background(obey, worker, float(argv[0]))
        code = worker.wait()
    kill_group(worker)  # processes that the worker left
    for thread in copies:
        thread.join(timeout=5)
    return code if code >= 0 else 128 - code


def end_with_parent() -> Callable[[], None] | None:
    """Returns what a child calls first to end with its parent; None if not on Linux."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def in_background(function: Callable[..., None], *arguments: object) -> Thread:
    thread = Thread(target=function, args=arguments, daemon=True)
    thread.start()
    return thread


def copy(source: int, target: int) -> None:
    """Copies a file descriptor to another to its end, even if nobody reads that."""
    while block := os.read(source, BLOCK):
        with suppress(OSError):
            while block:
                block = block[os.write(target, block) :]


def obey(worker: subprocess.Popen, grace: float) -> None:
    """Passes on the signals that come on standard input; ends the worker at its end."""
    while number := os.read(STDIN, 1):
        worker.send_signal(number[0])
    worker.terminate()
    time.sleep(grace)
    kill_group(worker)


def kill_group(worker: subprocess.Popen) -> None:
    with suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
