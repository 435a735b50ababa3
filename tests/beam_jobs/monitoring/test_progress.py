"""The progress line: what it says, and that it says it of workers elsewhere too."""

import io
import json
import os
import re
import subprocess
import sys

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from small_data import build

from beam_jobs.monitoring import progress
from beam_jobs.monitoring.progress import CHANNEL, Counts

LOCAL = PipelineOptions([])
WORKER = (
    "from beam_jobs.monitoring import progress; progress.advance(3, 1); "
    "progress.reject(2)"
)


class Terminal(io.StringIO):
    """Takes down what is drawn, last line last."""

    def isatty(self):
        return True

    @property
    def lines(self) -> list[str]:
        plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", self.getvalue())
        return [line.strip() for line in re.split(r"[\r\n]+", plain) if line.strip()]


@pytest.fixture
def open_terminal(monkeypatch):
    """To be called in the test: pytest puts its own standard error before it."""

    def make() -> Terminal:
        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setenv("COLUMNS", "120")
        monkeypatch.setenv("TERM", "xterm")
        return terminal

    return make


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counts(clock) -> Counts:
    return Counts("reading captions", clock)


def test_before_the_first_photo(counts):
    assert counts.describe() == "-/s, -:--:-- left, 0 rejected"
    counts.change(rejected=7)
    counts.change(total=50, doing="encoding")
    assert counts.describe() == "-/s, -:--:-- left, 7 rejected"
    assert (counts.doing, counts.total, counts.done) == ("encoding", 50, 0)


def test_speed_and_time_left(counts, clock):
    counts.change(total=1000)
    for _ in range(4):
        clock.now += 2
        counts.change(worked=30, rejected=1)
    assert counts.describe() == "15/s, 0:00:59 left, 4 rejected"
    clock.now += 100  # nothing has come since
    assert counts.describe().startswith("0.3/s, 0:49:52 left")


def test_what_was_there_before_makes_nothing_faster(counts, clock):
    counts.change(total=1000)
    counts.change(skipped=800, rejected=3)
    clock.now += 10
    counts.change(worked=50)
    assert counts.done == 850
    assert counts.describe() == "5.0/s, 0:00:30 left, 3 rejected, 800 from before"


def test_the_speed_is_that_of_late(counts, clock):
    counts.change(total=10_000)
    for _ in range(100):
        clock.now += 1
        counts.change(worked=50)
    for _ in range(40):
        clock.now += 1
        counts.change(worked=10)
    assert counts.speed() == pytest.approx(10)


def test_batches_that_take_longer_than_that_have_a_speed(counts, clock):
    counts.change(total=1000)
    for _ in range(3):
        clock.now += 90
        counts.change(worked=45)
    assert counts.speed() == pytest.approx(0.5)
    clock.now += 90
    assert counts.speed() == pytest.approx(0.25)


def test_at_the_end_nothing_is_left(counts, clock):
    counts.change(total=5)
    clock.now += 1
    counts.change(worked=5)
    assert counts.describe().startswith("5.0/s, 0:00:00 left")


def test_the_line_on_a_terminal(open_terminal):
    terminal = open_terminal()
    with progress.show("reading captions", LOCAL):
        progress.reject(2)
        progress.start(10)
        progress.skip(4, 1)
        progress.advance(6, 0)
    last = terminal.lines[-1]
    assert last.startswith("encoding")
    assert "10/10 photos," in last
    assert last.endswith("left, 3 rejected, 4 from before")


def test_nothing_is_shown_elsewhere(capsys):
    with progress.show("reading captions", LOCAL):
        progress.start(10)
        progress.advance(10, 0)
        assert CHANNEL not in os.environ
    assert capsys.readouterr() == ("", "")
    progress.advance(1, 0)  # nor does it matter where there is no line at all


def test_another_machines_runner_is_named(open_terminal):
    terminal = open_terminal()
    with progress.show("reading captions", PipelineOptions(["--runner=FlinkRunner"])):
        pass
    assert terminal.lines[-1].startswith("running on FlinkRunner")


def test_worker_processes_are_heard(open_terminal):
    terminal = open_terminal()
    with progress.show("reading captions", LOCAL):
        progress.start(10)
        subprocess.run([sys.executable, "-c", WORKER], check=True)
        progress.advance(4, 0)
    assert "7/10 photos," in terminal.lines[-1]
    assert terminal.lines[-1].endswith("left, 3 rejected")
    assert CHANNEL not in os.environ


def test_half_a_line_is_read_when_it_is_whole(counts, tmp_path):
    path = tmp_path / "told"
    line = json.dumps({"worked": 3}).encode() + b"\n"
    path.write_bytes(line + line[:5])
    with open(path, "rb") as file:
        progress.add_lines(file, counts)
        assert counts.worked == 3
        path.write_bytes(line + line)
        progress.add_lines(file, counts)
    assert counts.worked == 6


def test_a_build_in_this_process(open_terminal, data, tmp_path):
    terminal = open_terminal()
    data.add_photo("b.jpg", b"no photo")
    data.add("gone.jpg", None)
    build(data.job(tmp_path / "out"))
    assert "10/10 photos," in terminal.lines[-1]
    assert terminal.lines[-1].endswith("left, 2 rejected")


@pytest.mark.slow
def test_a_build_in_other_processes(open_terminal, data, tmp_path, workers_find_tests):
    terminal = open_terminal()
    data.add_photo("b.jpg", b"no photo")
    data.add("gone.jpg", None)
    flags = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    build(data.job(tmp_path / "out"), *flags)
    assert "10/10 photos," in terminal.lines[-1]
    assert terminal.lines[-1].endswith("left, 2 rejected")
