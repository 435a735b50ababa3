"""The line of progress: in one line on any terminal, gone or still there at its end."""

import io
import re
import sys

import pytest
from rich.progress import Task

from records.progress_line import (
    ProgressLine,
    done_and_left,
    done_of_total,
    megabytes_and_left,
    time_left,
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def draw(monkeypatch, columns: int, figures, **options) -> str:
    """Returns what a terminal shows of a line at half of its work."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    line = ProgressLine(figures, **options)
    line.add_task("reading", total=8000, completed=4000)
    with line.console.capture() as drawn:
        line.console.print(line.get_renderable())
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", drawn.get())


def test_a_wide_terminal_has_a_bar(monkeypatch):
    line = draw(monkeypatch, 80, done_of_total)
    assert re.fullmatch("reading [━╸╺]+ 4,000/8,000\n", line) and len(line) == 81


@pytest.mark.parametrize(
    ("columns", "expected"),
    [(40, "reading 4,000/8,000, and more"), (20, "reading 4,000/8,000…")],
)
def test_a_narrow_one_has_one_line_without_a_bar(monkeypatch, columns, expected):
    line = draw(monkeypatch, columns, lambda task: done_of_total(task) + ", and more")
    assert line.rstrip() == expected and line.count("\n") == 1


def test_no_colour_is_drawn_where_none_is_wanted(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stderr", Terminal())
    line = ProgressLine(done_of_total)
    line.add_task("reading", total=2, completed=1)
    with line.console.capture() as drawn:
        line.console.print(line.get_renderable())
    assert not re.search(r"\x1b\[[\d;]*3\d", drawn.get())


@pytest.mark.parametrize(("stays", "left"), [(True, True), (False, False)])
def test_the_end_of_a_line(monkeypatch, stays, left):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with ProgressLine(done_of_total, stays=stays) as line:
        line.add_task("reading", total=1)
    assert terminal.getvalue().rstrip("\n").endswith("\x1b[2K") is not left


def test_a_pipe_sees_nothing(capsys):
    with ProgressLine(done_of_total) as line:
        assert list(line.track(range(3))) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")


def test_a_notebook_gets_lines_and_no_displays(capsys, monkeypatch):
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    with ProgressLine(done_of_total) as line:
        line.console.print("epoch 1/3")
    assert capsys.readouterr() == ("", "epoch 1/3\n")


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def half_done() -> Task:
    clock = Clock()
    line = ProgressLine(done_of_total, get_time=clock)
    task = line.add_task("reading", total=4_000_000)
    for _ in range(3):
        clock.now += 30
        line.advance(task, 1_000_000)
    return line.tasks[0]


def test_figures(half_done):
    assert done_of_total(half_done) == "3,000,000/4,000,000"
    assert time_left(half_done) == "0:00:30 left"
    assert done_and_left(half_done) == "3,000,000/4,000,000, 0:00:30 left"
    assert megabytes_and_left(half_done) == "3.0/4.0 MB, 0:00:30 left, 0.0 MB/s"


def test_figures_of_what_is_not_known_yet():
    line = ProgressLine(done_of_total)
    line.add_task("reading", total=None)
    (task,) = line.tasks
    assert done_and_left(task) == "" and megabytes_and_left(task) == "0.0 MB"
