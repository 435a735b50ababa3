"""A progress line for jobs whose workers are on this machine.

Steps report progress by `start`, `advance`, `skip` and `reject`: each appends a line to
a file, whose path worker processes inherit, and the process that shows the line reads
it. Where standard error is no terminal, a message a minute takes the line's place. On
workers elsewhere the functions do nothing.
"""

import json
import logging
import os
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

from apache_beam.options.pipeline_options import PipelineOptions
from rich.console import RenderableType
from rich.progress import Task

from beam_jobs.runners.registry import is_local, runner_name
from records.progress_line import (
    ProgressLine,
    comma_separated,
    done_of_total,
    time_left,
)

LOGGER = logging.getLogger(__name__)
CHANNEL = "TFCAP_PROGRESS"  # names the file, for worker processes
SPEED_SECONDS = 120.0
MESSAGE_SECONDS = 60.0
READ_SECONDS = 1.0


class JobProgress(ProgressLine):
    """The line. Whenever it is drawn, it reads what steps have reported since.

    Args:
        reports: the file of the reports.
        doing: what is done before the first photo.
    """

    def __init__(self, reports: BinaryIO, doing: str):
        self.reports = reports
        super().__init__(figures, stays=True, speed_estimate_period=SPEED_SECONDS)
        self.add_task(doing, total=None, rejected=0)

    def get_renderables(self) -> Iterable[RenderableType]:
        self.read_reports()
        yield from super().get_renderables()

    def read_reports(self) -> None:
        """Reads on to the file's last whole line.

        What was read counts as one step: the speed is measured between readings.
        """
        total: dict[str, Any] = {}
        while (line := self.reports.readline()).endswith(b"\n"):
            for name, value in json.loads(line).items():
                is_part = name in ("worked", "skipped", "rejected")
                total[name] = total.get(name, 0) + value if is_part else value
        self.reports.seek(self.reports.tell() - len(line))
        if total:
            self.count(**total)

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

    def keep_logging(self, ended: threading.Event) -> None:
        """Logs the line every minute until the job has ended."""
        due = time.monotonic() + MESSAGE_SECONDS
        while not ended.wait(min(READ_SECONDS, MESSAGE_SECONDS)):
            self.read_reports()
            if time.monotonic() >= due:
                due += MESSAGE_SECONDS
                (task,) = self.tasks
                LOGGER.info("%s %s", task.description, figures(task))


def figures(task: Task) -> str:
    """Returns photos done, time left, speed of the last `SPEED_SECONDS` and rejects."""
    rejected = task.fields["rejected"]
    return comma_separated(
        done_of_total(task),
        "starting" if task.total and not task.completed else time_left(task),
        f"{task.speed:.1f}/s" if task.speed else "",
        f"{rejected:,} rejected" if rejected else "",
    )


@contextmanager
def show(first: str, options: PipelineOptions) -> Iterator[None]:
    """Shows the progress on standard error while the body runs.

    Args:
        first: what is done before the first photo.
        options: of the pipeline. A runner on another machine reports no progress, so
            the line only names it.
    """
    doing = first if is_local(options) else f"running on {runner_name(options)}"
    with tempfile.TemporaryDirectory(prefix="tfcap-progress-") as folder:
        path = os.path.join(folder, "reports")
        with open(path, "x+b") as reports:
            os.environ[CHANNEL] = path
            try:
                with draw(JobProgress(reports, doing)):
                    yield
            finally:
                del os.environ[CHANNEL]


@contextmanager
def draw(progress: JobProgress) -> Iterator[None]:
    """Draws the line on a terminal, and logs it elsewhere."""
    ended = threading.Event()
    if progress.disable:
        threading.Thread(
            target=progress.keep_logging, args=(ended,), daemon=True
        ).start()
    try:
        with progress:
            yield
    finally:
        ended.set()


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
