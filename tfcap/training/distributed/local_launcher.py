"""Starts N worker processes on one machine: `tfcap train --local_workers N`.

Each has its TF_CONFIG, as on N machines, and sees no GPU. The chief's output is shown
unchanged; lines of the other workers begin with their names. A signal to this process
is passed on to all. When one worker fails, the others end as well, or are killed.
"""

import argparse
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from threading import Thread

from records.errors import UserError
from records.interrupts import INTERRUPTED
from tfcap.training.signals import handled_by

LOCALHOST = "127.0.0.1"
GRACE = 20.0  # seconds; a worker notices after about 10 that another is gone
PR_SET_PDEATHSIG = 1
PROPER_ENDS = (0, os.EX_TEMPFAIL, INTERRUPTED)


def train_locally(args: argparse.Namespace) -> int:
    """Runs the command in `args.local_workers` workers; returns their exit code.

    Raises:
        UserError: fewer than two workers are requested, or one of them failed.
    """
    if args.local_workers < 2:
        raise UserError(
            f"--local_workers: at least 2; received {args.local_workers}. One worker "
            "is the command without it"
        )
    workers = start(worker_command(args), args.local_workers)

    def pass_on(number: int, _: object) -> None:
        for worker in workers:
            worker.send_signal(number)

    with handled_by(pass_on):
        first = wait(workers)
    if first is not None:
        how = how_it_ended(workers[first].returncode)
        raise UserError(f"worker {first} {how}; all have ended")
    return max(worker.returncode for worker in workers)


def worker_command(args: argparse.Namespace) -> list[str]:
    """Returns this command without --local_workers."""
    options = {name: getattr(args, name) for name in ("config", "records", "workdir")}
    options |= {
        name: vars(args)[name] for name in ("photos", "init") if vars(args)[name]
    }
    command = [sys.executable, "-m", "tfcap", "train"]
    command += [f"--{name}={value}" for name, value in options.items()]
    return command + [f"--set={override}" for override in args.set]


def start(command: list[str], count: int) -> list[subprocess.Popen]:
    """Starts the chief, which writes to our output, and the others; copies theirs."""
    addresses, workers = free_addresses(count), []
    for number in range(count):
        task = {"type": "worker", "index": number}
        config = {"cluster": {"worker": addresses}, "task": task}
        environment = {"TF_CONFIG": json.dumps(config), "CUDA_VISIBLE_DEVICES": ""}
        workers.append(
            subprocess.Popen(
                command,
                env={**os.environ, **environment},
                # Ctrl-C comes to this process alone, which passes it on.
                start_new_session=True,
                preexec_fn=end_with_parent(),
                text=True,
                stdout=subprocess.PIPE if number else None,
                stderr=subprocess.STDOUT if number else None,
            )
        )
    for number, worker in enumerate(workers[1:], 1):
        Thread(target=copy_lines, args=(worker, number), daemon=True).start()
    return workers


def free_addresses(count: int) -> list[str]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for socket_ in sockets:
            socket_.bind((LOCALHOST, 0))
        return [f"{LOCALHOST}:{s.getsockname()[1]}" for s in sockets]


def end_with_parent() -> Callable[[], None] | None:
    """Returns what a child calls first to end with its parent; None if not on Linux."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def copy_lines(worker: subprocess.Popen, number: int) -> None:
    for line in worker.stdout or ():
        sys.stderr.write(f"[worker {number}] {line}")


def wait(workers: list[subprocess.Popen]) -> int | None:
    """Waits for all to end; kills those that outlive a failed one by `GRACE`.

    Returns:
        The number of the worker that failed first; None if none did.
    """
    first, until = None, float("inf")
    while any(worker.poll() is None for worker in workers):
        if first is None:
            first = failed(workers)
            until = float("inf") if first is None else time.monotonic() + GRACE
        if time.monotonic() > until:
            for worker in workers:
                worker.kill()
        time.sleep(0.1)
    return failed(workers) if first is None else first


def failed(workers: list[subprocess.Popen]) -> int | None:
    """Returns the number of the first failed worker; None if there is none."""
    proper = (None, *PROPER_ENDS)
    numbers = (n for n, worker in enumerate(workers) if worker.poll() not in proper)
    return next(numbers, None)


def how_it_ended(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"failed with exit code {code}"
