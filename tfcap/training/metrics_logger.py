"""Shows a run: a progress bar, a line per epoch, TensorBoard curves.

tensorboard/train   every `log_steps` steps:
    loss             mean per target token, nats; in self_critical minus mean reward
    learning_rate    of the next step
    gradient_norm    of the last step, before clipping
    loss_scale       factor of the loss; 1 except in mixed_float16
    rows_per_second  rows are (prefix, next token) pairs, in either expansion
    input_wait       fraction of the time in which the step had no batch yet
tensorboard/dev     after every epoch: loss, sample captions and their photos
    cider, bleu_4    of greedy captions of `score_photos` photos, as fractions
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorboard  # noqa: F401 - tf.summary.scalar is its
import tensorflow as tf
from rich.progress import Task

from records.errors import UserError
from records.progress_line import (
    ProgressLine,
    comma_separated,
    done_of_total,
    time_left,
)
from tfcap.config.training import TrainingConfig
from tfcap.runs.checkpoints import in_words
from tfcap.runs.workdir import Workdir
from tfcap.training.sample_captions import Samples, describe_monotony
from tfcap.training.train_step import StepResult

MESSAGE_SECONDS = 60.0


def figures(task: Task) -> str:
    """Returns steps done, loss, time left in the epoch and speed."""
    left = "" if task.finished else time_left(task)
    return comma_separated(
        done_of_total(task), task.fields["status"], left, task.fields["rate"]
    )


class MetricsLogger:
    """A context manager around a run that logs it; silent without a work directory.

    Results stay on the device until `fetch` copies those since its last call.
    """

    def __init__(
        self, workdir: Workdir | None, steps_per_epoch: int, config: TrainingConfig
    ):
        self.folder = workdir and workdir.folder("tensorboard")
        self.steps_per_epoch, self.epochs = steps_per_epoch, config.epochs
        self.note = config.loss_note
        self.pending: list[tf.Tensor] = []
        self.monotony = ""
        self.printed = time.monotonic()
        self.shown: dict[str, Any] = {"status": "compiling, up to a minute", "rate": ""}
        self.bar = ProgressLine(figures, disable=workdir is None)
        self.console = self.bar.console
        self.console.quiet = workdir is None

    def __enter__(self) -> "MetricsLogger":
        with self.writing():
            self.train, self.dev = self.writer("train"), self.writer("dev")
        self.bar.start()
        self.task = self.bar.add_task("training", total=None, **self.shown)
        return self

    def writer(self, name: str) -> tf.summary.SummaryWriter:
        if self.folder is None:
            return tf.summary.create_noop_writer()
        return tf.summary.create_file_writer(f"{self.folder}/{name}")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.bar.stop()
        try:
            with self.writing():
                self.train.close()
                self.dev.close()
        except UserError:
            if kind is None:
                raise  # else what ended the run says more

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Raises UserError instead of TensorFlow's errors."""
        try:
            yield
        except tf.errors.OpError as error:
            raise UserError(
                f"cannot write curves to {self.folder}: {in_words(error)}. The "
                "checkpoints are as they were: make room, then give the same command "
                "again"
            ) from None

    def start_epoch(self, epoch: int, done: int) -> None:
        self.epoch = epoch + 1
        self.loss = self.count = self.rows = self.seconds = 0.0
        self.pending, self.since = [], time.monotonic()
        self.bar.update(
            self.task,
            description=f"epoch {self.epoch}/{self.epochs}",
            completed=done,
            total=self.steps_per_epoch,
            **self.shown,
        )

    def step(self, result: tf.Tensor) -> None:
        self.pending.append(result)
        self.bar.advance(self.task)

    def fetch(self) -> list[StepResult]:
        """Returns the results since the last call as numbers; waits for the device."""
        results = StepResult.fetch(self.pending)
        self.pending = []
        return results

    def draw(self, step: int, learning_rate: float, results: list[StepResult]) -> None:
        """Adds a point to each curve."""
        if not results:
            return
        loss = sum(result.loss for result in results)
        count = sum(result.count for result in results)
        rows = sum(result.tokens for result in results)
        now = time.monotonic()
        seconds, self.since = now - self.since, now
        points = {
            "loss": loss / count,
            "learning_rate": learning_rate,
            "gradient_norm": results[-1].gradient_norm,
            "loss_scale": results[-1].loss_scale,
            "rows_per_second": rows / seconds,
            "input_wait": sum(r.input_wait for r in results) / seconds,
        }
        with self.writing(), self.train.as_default():
            for name, value in points.items():
                tf.summary.scalar(name, value, step)
        self.loss, self.count = self.loss + loss, self.count + count
        self.rows, self.seconds = self.rows + rows, self.seconds + seconds
        self.shown = {
            "status": f"loss{self.note} {loss / count:.3f}",
            "rate": f"{self.rows / self.seconds:,.0f} rows/s",
        }
        self.bar.update(self.task, **self.shown)
        if self.bar.disable and now - self.printed >= MESSAGE_SECONDS:
            self.print_progress(now)

    def print_progress(self, now: float) -> None:
        """Prints what the bar would show, where there is no terminal."""
        (task,) = self.bar.tasks
        self.print(f"{task.description}, step {figures(task)}")
        self.printed = now

    def start_scoring(self) -> None:
        """Shows that the epoch is trained and the dev split is scored."""
        self.bar.update(self.task, status="scoring the dev split", rate="")

    def show_samples(self, step: int, samples: Samples) -> None:
        captions = samples.captions()
        self.monotony = describe_monotony(captions)
        with self.writing(), self.dev.as_default():
            samples.draw(step, captions)

    def show_scores(self, step: int, scores: dict[str, float]) -> None:
        """Adds a point to the curve of each score of the dev photos."""
        with self.writing(), self.dev.as_default():
            for name, value in scores.items():
                tf.summary.scalar(name, value, step)

    def end_epoch(self, step: int, dev_loss: float, better: bool) -> None:
        with self.writing(), self.dev.as_default():
            tf.summary.scalar("loss", dev_loss, step)
        self.print(
            f"epoch {self.epoch}/{self.epochs}: {self.trained()}"
            f"dev{self.note} {dev_loss:.3f}{' (best)' if better else ''}"
            f"{', ' * bool(self.monotony)}{self.monotony}"
        )
        self.printed = time.monotonic()

    def print(self, line: str) -> None:
        self.console.print(line, highlight=False, soft_wrap=True)

    def trained(self) -> str:
        """Returns loss and speed of the epoch; empty if no step was left to train."""
        if not self.rows:
            return ""
        rate = self.rows / self.seconds
        return (
            f"{self.seconds:.0f} s, {rate:,.0f} rows/s, "
            f"loss{self.note} {self.loss / self.count:.3f}, "
        )
