"""A line of progress on a terminal of any width: the work, a bar, figures."""

from collections.abc import Callable
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

BAR_FROM = 60  # columns of a terminal; narrower ones show figures alone


class ProgressLine(Progress):
    """A progress line on standard error; nothing where that is no terminal.

    Args:
        figures: returns what the line says of a task behind the bar.
        stays: the line is still there at the end; else it is removed.
    """

    def __init__(
        self,
        figures: Callable[[Task], str],
        stays: bool = False,
        disable: bool = False,
        **options,
    ):
        # In a notebook rich would make a display of each line that is printed.
        console = Console(stderr=True, force_jupyter=False)
        wide = console.width >= BAR_FROM
        super().__init__(
            *(with_bar(figures) if wide else without_bar(figures)),
            console=console,
            disable=disable or not console.is_terminal,
            transient=not stays,
            expand=wide,
            **options,
        )


def with_bar(figures: Callable[[Task], str]) -> list[ProgressColumn]:
    return [
        TextColumn("{task.description}", table_column=Column(no_wrap=True)),
        BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=4)),
        FiguresColumn(figures),
    ]


def without_bar(figures: Callable[[Task], str]) -> list[ProgressColumn]:
    return [FiguresColumn(lambda task: f"{task.description} {figures(task)}")]


class FiguresColumn(ProgressColumn):
    """The text that a function returns for a task, in one line."""

    def __init__(self, figures: Callable[[Task], str]):
        super().__init__(Column(no_wrap=True))
        self.figures = figures

    def render(self, task: Task) -> Text:
        return Text(self.figures(task))


def done_of_total(task: Task) -> str:
    """Returns the units done, as `80/100`; empty before their number is known."""
    if task.total is None:
        return ""
    return f"{task.completed:,.0f}/{task.total:,.0f}"


def time_left(task: Task) -> str:
    """Returns the time to the end, as `0:01:30 left`; empty before it is known."""
    if task.time_remaining is None:
        return ""
    return f"{timedelta(seconds=round(task.time_remaining))} left"


def done_and_left(task: Task) -> str:
    """Returns the units done and the time left."""
    return comma_separated(done_of_total(task), time_left(task))


def megabytes_and_left(task: Task) -> str:
    """Returns the bytes done, in megabytes, speed and the time left."""
    total = f"/{task.total / 1e6:,.1f}" if task.total else ""
    return comma_separated(
        f"{task.completed / 1e6:,.1f}{total} MB",
        time_left(task),
        f"{task.speed / 1e6:.1f} MB/s" if task.speed else "",
    )


def comma_separated(*parts: str) -> str:
    """Returns the parts that are not empty, with commas."""
    return ", ".join(filter(None, parts))
