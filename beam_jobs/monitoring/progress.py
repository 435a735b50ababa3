"""A progress line for jobs whose workers are on this machine.

Steps report progress by `start`, `advance`, `skip` and `reject`. In the process that
shows the line these change it. A worker process that a runner started on this machine
appends a line to a file, whose path it inherits, and the first process reads it.
Elsewhere, and where standard error is no terminal, they do nothing.
"""

import json
import os
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
)
from rich.table import Column
from rich.text import Text

from beam_jobs.runners.run import LOCAL

CHANNEL = "TFCAP_PROGRESS"  # names the file, for worker processes
POLL_SECONDS = 0.2
SPEED_SECONDS = 30.0


class Counts:
    """The numbers of the progress line, updated by several threads.

    Attributes:
        total: photos in all; None while that is not known.
        worked: photos done in this run.
        skipped: photos of shards that an interrupted job had finished. They count as
            done, but not for the speed.
        rejected: photos left out, at any step.
    """

    def __init__(self, doing: str, clock: Callable[[], float] = time.monotonic):
        self.doing, self.total = doing, None
        self.worked = self.skipped = self.rejected = 0
        self._clock, self._lock = clock, threading.Lock()
        self._seen: deque[tuple[float, int]] = deque()

    @property
    def done(self) -> int:
        return self.worked + self.skipped

    def change(self, doing=None, total=None, worked=0, skipped=0, rejected=0) -> None:
        with self._lock:
            self.doing, self.total = doing or self.doing, total or self.total
            self.worked += worked
            self.skipped += skipped
            self.rejected += rejected
            if worked or (total and not self._seen):
                self._seen.append((self._clock(), self.worked))

    def speed(self) -> float | None:
        """Returns photos a second, over `SPEED_SECONDS` or the last batch if longer.

        None before the first batch.
        """
        with self._lock:
            now = self._clock()
            while len(self._seen) > 2 and self._seen[1][0] < now - SPEED_SECONDS:
                self._seen.popleft()
            if not self.worked:
                return None
            start, before = self._seen[0]
            return (self.worked - before) / max(now - start, 1e-3)

    def describe(self) -> str:
        """Returns speed, time left, rejects and the photos of an interrupted job.

        The least important comes last: a narrow terminal cuts it off.

        >>> counts.describe()
        '15/s, 0:01:10 left, 12 rejected, 300 from before'
        """
        speed = self.speed()
        before = [f"{self.skipped} from before"] if self.skipped else []
        rate = "-/s" if speed is None else f"{speed:.{int(speed < 10)}f}/s"
        left = f"{self.time_left(speed)} left"
        return ", ".join([rate, left, f"{self.rejected} rejected", *before])

    def time_left(self, speed: float | None) -> str:
        if self.total and self.done >= self.total:
            return "0:00:00"
        if not self.total or not speed:
            return "-:--:--"
        return str(timedelta(seconds=round((self.total - self.done) / speed)))


class CountsColumn(ProgressColumn):
    """A column that shows `Counts.describe` at the time it is drawn."""

    def __init__(self, counts: Counts):
        super().__init__()
        self.counts = counts

    def render(self, task: Task) -> Text:
        return Text(self.counts.describe(), no_wrap=True)


_counts: Counts | None = None


@contextmanager
def show(first: str, options: PipelineOptions) -> Iterator[None]:
    """Shows the line on standard error while the body runs, if that is a terminal.

    Args:
        first: what is done before the first photo.
        options: of the pipeline. A runner on another machine reports no progress, so
            the line only names it.
    """
    global _counts
    if not sys.stderr.isatty():
        yield
        return
    runner = options.view_as(StandardOptions).runner
    counts = Counts(first if runner in LOCAL else f"running on {runner}")
    with progress_bar(counts), collect_worker_progress(counts):
        _counts = counts
        try:
            yield
        finally:
            _counts = None


@contextmanager
def progress_bar(counts: Counts) -> Iterator[None]:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=4)),
        MofNCompleteColumn(),
        TextColumn("photos,"),
        CountsColumn(counts),
        console=Console(stderr=True),
        get_time=time.monotonic,
        expand=True,
    )

    def update() -> None:
        bar.update(task, description=counts.doing, total=counts.total)
        bar.update(task, completed=counts.done)

    with bar:
        task = bar.add_task(counts.doing, total=None)
        with call_regularly(update):
            yield


@contextmanager
def collect_worker_progress(counts: Counts) -> Iterator[None]:
    """Adds the progress of worker processes to `counts`."""
    with tempfile.TemporaryDirectory(prefix="tfcap-progress-") as folder:
        path = os.path.join(folder, "changes")
        with open(path, "x+b") as file:
            os.environ[CHANNEL] = path
            try:
                with call_regularly(lambda: add_lines(file, counts)):
                    yield
            finally:
                del os.environ[CHANNEL]


@contextmanager
def call_regularly(action: Callable[[], None]) -> Iterator[None]:
    """Calls `action` a few times a second while the body runs, and once at its end."""
    over = threading.Event()

    def repeat() -> None:
        while not over.wait(POLL_SECONDS):
            action()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        action()


def add_lines(file, counts: Counts) -> None:
    """Reads on to the file's last whole line."""
    while (line := file.readline()).endswith(b"\n"):
        counts.change(**json.loads(line))
    file.seek(file.tell() - len(line))


def start(photos: int, doing: str = "encoding") -> None:
    """Says how many photos there are, once that is known."""
    _tell(total=photos, doing=doing)


def advance(photos: int, rejected: int) -> None:
    """Counts a batch of photos worked on, rejected ones included."""
    _tell(worked=photos, rejected=rejected)


def skip(photos: int, rejected: int) -> None:
    """Counts the photos of a shard that an interrupted job had finished."""
    _tell(skipped=photos, rejected=rejected)


def reject(photos: int) -> None:
    """Counts photos that were left out before they came to be worked on."""
    _tell(rejected=photos)


def _tell(**change) -> None:
    if _counts:
        _counts.change(**change)
    elif path := os.environ.get(CHANNEL):
        # One short write to the end of a file is never mixed with another's.
        with suppress(OSError), open(path, "ab", buffering=0) as file:
            file.write(json.dumps(change).encode() + b"\n")
