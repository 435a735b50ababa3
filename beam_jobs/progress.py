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
def shown():
    """Shows the line on standard error while the body runs, if that is a terminal."""
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
        _bar.add_task("reading captions", total=None, rejected=0, rate="-/s")
        try:
            yield
        finally:
            _bar = None


def start(photos: int) -> None:
    """Says how many photos there are to encode, once the text is joined."""
    if _bar:
        _bar.update(_bar.tasks[0].id, total=photos, description="encoding")


def advance(photos: int, rejected: int) -> None:
    """Counts a batch of photos, rejected ones included."""
    if _bar:
        task = _bar.tasks[0]
        speed = f"{task.speed:.0f}/s" if task.speed else "-/s"
        rejects = task.fields["rejected"] + rejected
        _bar.update(task.id, advance=photos, rejected=rejects, rate=speed)
