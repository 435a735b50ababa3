"""Several workers: their output, their ends, failures and restarts."""

import os
import signal
import sys
from math import inf

import pytest

from tfcap.training.distributed.guard import guarded
from tfcap.training.distributed.hosts import local_commands
from tfcap.training.distributed.launcher import Launcher, how_it_ended

# NUMBER is that of the worker. Workers that pause end when they are stopped.
PRELUDE = """
import json, os, signal, sys
from pathlib import Path
NUMBER = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
"""


def launcher(code: str, grace: float = 60, count: int = 2, **options) -> Launcher:
    command = [sys.executable, "-c", PRELUDE + code]
    argv = guarded(command, grace, sys.executable)
    return Launcher(lambda: local_commands(argv, count), grace=grace, **options)


def test_lines_have_the_number_of_their_worker(capsys):
    code = "print('out', NUMBER); print('err', NUMBER, end='', file=sys.stderr)"
    assert launcher(code).run() == 0
    out, err = capsys.readouterr()
    assert sorted(out.splitlines()) == ["[worker 0] out 0", "[worker 1] out 1"]
    assert sorted(err.splitlines()) == ["[worker 0] err 0", "[worker 1] err 1"]


@pytest.mark.parametrize("number", [0, 1])
def test_a_killed_worker_stops_the_others(number, caplog):
    code = f"""
if NUMBER == {number}:
    os.kill(os.getpid(), signal.SIGKILL)
signal.pause()
"""
    assert launcher(code).run() == 128 + signal.SIGKILL
    (message,) = (record.getMessage() for record in caplog.records)
    assert message.startswith(f"error: worker {number} (127.0.0.1:")
    assert message.endswith(") was ended by SIGKILL; stopping all workers")


def test_a_worker_that_ignores_sigterm_is_killed():
    code = """
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if NUMBER:
    sys.exit(3)
signal.pause()
"""
    started = launcher(code, grace=0.1)
    assert started.run() == 3
    assert [w.code for w in started.workers] == [128 + signal.SIGKILL, 3]


def test_a_stopped_process_is_killed():
    code = """
if NUMBER:
    sys.exit(3)
os.kill(os.getpid(), signal.SIGSTOP)
"""
    started = launcher(code, grace=0.1)
    assert started.run() == 3
    assert started.workers[0].code in (128 + signal.SIGKILL, 128 + signal.SIGTERM)


def test_silence_is_a_failure(caplog):
    started = launcher("signal.pause()", hang_timeout=0.1)
    assert started.run() == os.EX_SOFTWARE
    assert "no worker has printed a line for 0.1 s; stopping" in caplog.text


def test_all_start_again_on_other_ports_as_often_as_allowed(tmp_path, caplog):
    code = f"""
folder = Path({str(tmp_path)!r}, str(NUMBER))
folder.mkdir(exist_ok=True)
attempt = len(list(folder.iterdir()))
(folder / str(attempt)).write_text(os.environ["TF_CONFIG"])
sys.exit(5 if NUMBER and attempt < 2 else 0)
"""
    caplog.set_level("INFO")
    assert launcher(code, restarts=1).run() == 5
    assert caplog.text.count("starting again from the last checkpoint") == 1
    assert launcher(code, restarts=9).run() == 0
    configs = [p.read_text() for p in (tmp_path / "1").iterdir()]
    assert len(configs) == len(set(configs)) == 3


def test_wrong_usage_is_not_repeated(tmp_path):
    code = f"open({str(tmp_path)!r} + f'/{{os.getpid()}}', 'w'); sys.exit(2)"
    assert launcher(code, restarts=3).run() == 2
    assert len(list(tmp_path.iterdir())) <= 2


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)]
)
def test_a_signal_is_passed_on_and_nothing_starts_again(number, code):
    worker = f"""
signal.signal({number:d}, lambda *_: sys.exit({code}))
os.kill({os.getpid()}, {number:d})
signal.pause()
"""
    before = signal.getsignal(number)
    started = launcher(worker, restarts=3, count=1)
    assert started.run() == code
    assert started.restarts == 3
    assert signal.getsignal(number) == before


def test_hanging_is_by_default_no_failure():
    assert launcher("").hang_timeout == inf


def test_an_end_is_described():
    assert how_it_ended(3) == "failed with exit code 3"
    assert how_it_ended(128 + 9) == "was ended by SIGKILL"
    assert how_it_ended(255) == "was lost: its connection has ended"
