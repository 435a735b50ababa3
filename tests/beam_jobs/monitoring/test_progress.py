"""The progress line: what it says, and that it says it of workers elsewhere too."""

import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from small_data import build, contents

from beam_jobs.monitoring import progress
from beam_jobs.monitoring.progress import CHANNEL, JobProgress

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
def line(clock, tmp_path, open_terminal) -> Iterator[JobProgress]:
    """A line that is not drawn by itself; its reports are in the file `reports`."""
    open_terminal()
    with open(tmp_path / "reports", "x+b") as reports:
        line = JobProgress(reports, "reading captions")
        line.get_time = clock
        yield line


def text(line: JobProgress) -> str:
    """The line as it is drawn now."""
    with line.console.capture() as drawn:
        line.console.print(line.get_renderable())
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", drawn.get()).strip()


def test_before_the_first_photo(line):
    assert text(line).startswith("reading captions")
    assert not re.search(r"[\d/,?]", text(line))
    line.count(rejected=7)
    assert text(line).endswith(" 7 rejected")
    line.count(total=50, doing="encoding")
    assert text(line).startswith("encoding")
    assert text(line).endswith(" 0/50, starting, 7 rejected")


def test_speed_and_time_left(line, clock):
    line.count(total=1000)
    for _ in range(4):
        clock.now += 2
        line.count(worked=30, rejected=1)
    assert text(line).endswith(" 120/1,000, 0:00:59 left, 15.0/s, 4 rejected")


def test_photos_of_an_interrupted_job_make_nothing_faster(line, clock):
    line.count(total=1000, worked=1)
    line.count(skipped=799, rejected=3)
    clock.now += 10
    line.count(worked=50)
    assert text(line).endswith(" 850/1,000, 0:00:30 left, 5.0/s, 3 rejected")


def test_the_speed_is_the_latest(line, clock):
    line.count(total=100_000)
    for speed in (50, 10):
        for _ in range(150):
            clock.now += 1
            line.count(worked=speed)
    assert line.tasks[0].speed == pytest.approx(10)


def test_at_the_end_nothing_is_left(line, clock):
    line.count(total=10)
    for _ in range(2):
        clock.now += 1
        line.count(worked=5)
    assert text(line).endswith(" 10/10, 0:00:00 left, 5.0/s")


def test_the_line_on_a_terminal(open_terminal):
    terminal = open_terminal()
    with progress.show("reading captions", LOCAL):
        progress.reject(2)
        progress.start(10)
        progress.skip(4, 1)
        progress.advance(6, 0)
    last = terminal.lines[-1]
    assert last.startswith("encoding")
    assert " 10/10, " in last
    assert last.endswith(", 3 rejected")


def test_a_pipe_sees_nothing_of_a_short_job(capsys):
    with progress.show("reading captions", LOCAL):
        progress.start(10)
        progress.advance(10, 0)
    assert capsys.readouterr() == ("", "")
    assert CHANNEL not in os.environ
    progress.advance(1, 0)  # nor does it matter where there is no line at all


def test_a_pipe_sees_a_message_a_minute(caplog, monkeypatch):
    caplog.set_level("INFO")
    monkeypatch.setattr(progress, "MESSAGE_SECONDS", 0.01)
    with progress.show("reading captions", LOCAL):
        progress.start(10)
        progress.skip(4, 1)
        while "encoding 4/10, 1 rejected" not in caplog.messages:
            time.sleep(0.01)
    last = len(caplog.messages)
    time.sleep(0.05)
    assert len(caplog.messages) <= last + 1


def test_a_narrow_terminal_sees_one_line_without_a_bar(
    clock, tmp_path, open_terminal, monkeypatch
):
    open_terminal()
    monkeypatch.setenv("COLUMNS", "40")
    with open(tmp_path / "reports", "x+b") as reports:
        line = JobProgress(reports, "encoding")
        line.get_time = clock
        line.count(total=8091, rejected=12)
        for _ in range(4):
            clock.now += 2
            line.count(worked=1500)
        assert text(line) == "encoding 6,000/8,091, 0:00:03 left, 750…"


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
    assert " 7/10, " in terminal.lines[-1]
    assert terminal.lines[-1].endswith(", 3 rejected")
    assert CHANNEL not in os.environ


def test_half_a_line_is_read_when_it_is_whole(line, tmp_path):
    report = json.dumps({"worked": 3}).encode() + b"\n"
    line.count(total=50)
    with open(tmp_path / "reports", "ab", buffering=0) as file:
        file.write(report + report[:5])
        assert " 3/50" in text(line)
        file.write(report[5:])
        assert " 6/50" in text(line)


def test_a_build_in_this_process(open_terminal, data, tmp_path):
    terminal = open_terminal()
    data.add_photo("b.jpg", b"no photo")
    data.add("gone.jpg", None)
    build(data.job(tmp_path / "out"))
    assert " 10/10, " in terminal.lines[-1]
    assert terminal.lines[-1].endswith(", 2 rejected")


@pytest.mark.slow
def test_a_build_in_other_processes(open_terminal, data, tmp_path, workers_find_tests):
    data.add_photo("b.jpg", b"no photo")
    data.add("gone.jpg", None)
    build(data.job(tmp_path / "alone"))
    terminal = open_terminal()
    flags = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    build(data.job(tmp_path / "out"), *flags)
    assert contents(tmp_path / "out") == contents(tmp_path / "alone")
    assert " 10/10, " in terminal.lines[-1]
    assert terminal.lines[-1].endswith(", 2 rejected")


def test_reports_that_are_read_together_are_no_speed(line, clock, tmp_path):
    line.count(total=1000)
    report = json.dumps({"worked": 30, "rejected": 1}).encode() + b"\n"
    with open(tmp_path / "reports", "ab", buffering=0) as file:
        file.write(4 * report)
        assert text(line).endswith(" 120/1,000, 4 rejected")
        clock.now += 10
        file.write(2 * report)
        assert text(line).endswith(" 180/1,000, 0:02:17 left, 6.0/s, 6 rejected")
