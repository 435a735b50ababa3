"""A progress line for jobs whose workers are on this machine.

Steps report progress by `start`, `advance`, `skip` and `reject`: each appends a line to
a file, whose path worker processes inherit, and the process that shows the line reads
it. Elsewhere, and where standard error is no terminal, they do nothing.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from apache_beam.options.pipeline_options import PipelineOptions
from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from beam_jobs.runners.registry import is_local, runner_name

CHANNEL = "TFCAP_PROGRESS"  # names the file, for worker processes
SPEED_SECONDS = 120.0


class ProgressLine(Progress):
    """The line. Whenever it is drawn, it reads what steps have reported since.

    Args:
        reports: the file of the reports.
        doing: what is done before the first photo.
    """

    def __init__(self, reports: BinaryIO, doing: str):
        self.reports = reports
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=4)),
            MofNCompleteColumn(),
            TextColumn("photos,"),
            SpeedColumn(),
            TimeRemainingColumn(),
            TextColumn("left, {task.fields[rejected]} rejected"),
            console=Console(stderr=True),
            speed_estimate_period=SPEED_SECONDS,
            expand=True,
        )
        self.add_task(doing, total=None, rejected=0)

    def get_renderables(self) -> Iterable[RenderableType]:
        # Reads on to the file's last whole line.
        while (line := self.reports.readline()).endswith(b"\n"):
            self.count(**json.loads(line))
        self.reports.seek(self.reports.tell() - len(line))
        yield from super().get_renderables()

    def count(
        self,
        doing: str | None = None,
        total: int | None = None,
        worked: int = 0,
        skipped: int = 0,
        rejected: int = 0,
    ) -> None:
        (task,) = self.tasks
        task.completed += skipped  # `update` would count them for the speed
        rejected += task.fields["rejected"]
        self.update(
            task.id, description=doing, total=total, advance=worked, rejected=rejected
        )


class SpeedColumn(ProgressColumn):
    """Photos a second, of the last `SPEED_SECONDS`."""

    def render(self, task: Task) -> Text:
        return Text("-/s" if task.speed is None else f"{task.speed:.1f}/s")


@contextmanager
def show(first: str, options: PipelineOptions) -> Iterator[None]:
    """Shows the line on standard error while the body runs, if that is a terminal.

    Args:
        first: what is done before the first photo.
        options: of the pipeline. A runner on another machine reports no progress, so
            the line only names it.
    """
    if not sys.stderr.isatty():
        yield
        return
    doing = first if is_local(options) else f"running on {runner_name(options)}"
    with tempfile.TemporaryDirectory(prefix="tfcap-progress-") as folder:
        path = os.path.join(folder, "reports")
        with open(path, "x+b") as reports, ProgressLine(reports, doing):
            os.environ[CHANNEL] = path
            try:
                yield
            finally:
                del os.environ[CHANNEL]


def start(photos: int, doing: str = "encoding") -> None:
    """Says how many photos there are, once that is known."""
    _report(total=photos, doing=doing)


def advance(photos: int, rejected: int) -> None:
    """Counts a batch of photos worked on, rejected ones included."""
    _report(worked=photos, rejected=rejected)


def skip(photos: int, rejected: int) -> None:
    """Counts the photos of a shard that an interrupted job had finished."""
    _report(skipped=photos, rejected=rejected)


def reject(photos: int) -> None:
    """Counts photos that were left out before they came to be worked on."""
    _report(rejected=photos)


def _report(**change: int | str) -> None:
    if path := os.environ.get(CHANNEL):
        # One short write to the end of a file is never mixed with another's.
        with suppress(OSError), open(path, "ab", buffering=0) as file:
            file.write(json.dumps(change).encode() + b"\n")
