"""A progress line for builds that run in this process; elsewhere it shows nothing."""

import sys
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

_bar: Progress | None = None


@contextmanager
def shown(first: str):
    """Shows the line on standard error while the body runs, if that is a terminal.

    Args:
        first: what is done before the first photo.
    """
    global _bar
    _bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("photos, {task.fields[rejected]} rejected, {task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    with _bar:
        _bar.add_task(first, total=None, rejected=0, rate="-/s")
        try:
            yield
        finally:
            _bar = None


def start(photos: int, doing: str = "encoding") -> None:
    """Says how many photos there are, once that is known."""
    if _bar:
        _bar.update(_bar.tasks[0].id, total=photos, description=doing)


def advance(photos: int, rejected: int) -> None:
    """Counts a batch of photos, rejected ones included."""
    if _bar:
        task = _bar.tasks[0]
        speed = f"{task.speed:.0f}/s" if task.speed else "-/s"
        rejects = task.fields["rejected"] + rejected
        _bar.update(task.id, advance=photos, rejected=rejects, rate=speed)
