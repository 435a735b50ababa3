"""A guard passes on signals, and ends its worker when its input ends."""

import signal
import subprocess
import sys

from tfcap.training.distributed.guard import guarded

# Ends properly at the first SIGTERM, if it is asked to by its argument.
WORKER = """
import signal, sys
def note(number, frame):
    print("signal", number, flush=True)
    if "ends" in sys.argv:
        sys.exit(75)
signal.signal(signal.SIGTERM, note)
print("ready", flush=True)
while True:
    signal.pause()
"""


def start(*arguments: str, grace: float) -> subprocess.Popen:
    argv = guarded([sys.executable, "-c", *arguments], grace, sys.executable)
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen(argv, **pipes)


def test_output_and_exit_code_are_the_workers():
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    with start(code, grace=60) as guard:
        assert guard.wait() == 3
        assert guard.stdout.read() == b"out\n"
        assert guard.stderr.read() == b"err\n"


def test_a_byte_is_a_signal():
    with start(WORKER, "ends", grace=60) as guard:
        assert guard.stdout.readline() == b"ready\n"
        guard.stdin.write(bytes([signal.SIGTERM]))
        guard.stdin.flush()
        assert guard.stdout.readline() == b"signal 15\n"
        assert guard.wait() == 75


def test_a_lost_launcher_ends_the_worker_by_sigterm():
    with start(WORKER, "ends", grace=60) as guard:
        assert guard.stdout.readline() == b"ready\n"
        guard.stdin.close()
        assert guard.stdout.readline() == b"signal 15\n"
        assert guard.wait() == 75


def test_a_worker_that_does_not_end_is_killed_after_the_grace():
    with start(WORKER, grace=0.1) as guard:
        assert guard.stdout.readline() == b"ready\n"
        guard.stdin.close()
        assert guard.stdout.readline() == b"signal 15\n"
        assert guard.wait() == 128 + signal.SIGKILL


def test_a_worker_ends_properly_when_nobody_reads():
    code = WORKER.replace('print("signal"', 'print("x" * 100_000, "signal"')
    guard = start(code, "ends", grace=60)
    assert guard.stdout.readline() == b"ready\n"
    guard.stdout.close()
    guard.stdin.close()
    assert guard.wait() == 75
    guard.stderr.close()


def test_a_killed_guard_takes_its_worker_along():
    with start(WORKER, grace=60) as guard:
        assert guard.stdout.readline() == b"ready\n"
        guard.kill()
        assert guard.stdout.read() == b""  # at the worker's end
