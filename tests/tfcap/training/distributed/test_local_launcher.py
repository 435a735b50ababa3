"""Several workers on this machine: how they are started, how they end."""

import signal
import subprocess
import sys

from tfcap.cli.main import main, make_parser
from tfcap.training.distributed import local_launcher
from tfcap.training.distributed.local_launcher import (
    free_addresses,
    how_it_ended,
    start,
    wait,
)

TRAIN = ["train", "--config=c.yaml", "--records=r", "--workdir=w"]


def test_one_local_worker_is_refused(capsys):
    assert main([*TRAIN, "--local_workers=1"]) == 1
    assert "--local_workers: at least 2; received 1" in capsys.readouterr().err


def test_workers_get_the_command_without_the_option():
    options = ["--init=first", "--set=training.epochs=1", "--set=training.seed=2"]
    args = make_parser().parse_args([*TRAIN, "--local_workers=2", *options])
    command = local_launcher.worker_command(args)
    assert command[1:] == ["-m", "tfcap", *TRAIN, *options]


def test_addresses_differ():
    assert len(set(free_addresses(5))) == 5


def test_each_worker_is_told_who_it_is_and_lines_are_named(capfd):
    code = "import os, json; print(json.loads(os.environ['TF_CONFIG'])['task'])"
    assert wait(start([sys.executable, "-c", code], 2)) is None
    out, err = capfd.readouterr()
    assert out == "{'type': 'worker', 'index': 0}\n"
    assert err == "[worker 1] {'type': 'worker', 'index': 1}\n"


def test_a_worker_that_outlives_a_failed_one_is_killed(monkeypatch):
    monkeypatch.setattr(local_launcher, "GRACE", 0.1)
    workers = [
        subprocess.Popen([sys.executable, "-c", code])
        for code in ("import time; time.sleep(60)", "raise SystemExit(3)")
    ]
    assert wait(workers) == 1
    assert workers[0].returncode == -signal.SIGKILL
    assert how_it_ended(3) == "failed with exit code 3"
    assert how_it_ended(-9) == "was ended by SIGKILL"
