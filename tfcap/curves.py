"""What a run shows: a progress bar, a line per epoch, TensorBoard curves."""

import sys
import time

import tensorflow as tf
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from tfcap.config import TrainingConfig
from tfcap.train_step import StepResult
from tfcap.workdir import Workdir


class Curves:
    """Follows a run; a context manager around it.

    Losses stay on the device until `note` fetches those since its last call.
    """

    def __init__(self, workdir: Workdir, steps_per_epoch: int, config: TrainingConfig):
        self.folder = workdir.folder("tensorboard")
        self.steps_per_epoch, self.epochs = steps_per_epoch, config.epochs
        self.pending: list[StepResult] = []
        self.console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(
                "loss {task.fields[loss]:.3f}, {task.fields[rate]:,.0f} tokens/s"
            ),
            TimeRemainingColumn(),
            console=self.console,
            disable=not sys.stderr.isatty(),
        )

    def __enter__(self) -> "Curves":
        self.train = tf.summary.create_file_writer(f"{self.folder}/train")
        self.dev = tf.summary.create_file_writer(f"{self.folder}/dev")
        self.bar.start()
        self.task = self.bar.add_task("", loss=float("nan"), rate=0)
        return self

    def __exit__(self, *_) -> None:
        self.bar.stop()
        self.train.close()
        self.dev.close()

    def start_epoch(self, epoch: int, done: int) -> None:
        self.epoch = epoch + 1
        self.loss = self.tokens = self.seconds = 0.0
        self.pending, self.since = [], time.monotonic()
        self.bar.update(
            self.task,
            description=f"epoch {self.epoch}/{self.epochs}",
            completed=done,
            total=self.steps_per_epoch,
        )

    def step(self, result: StepResult) -> None:
        self.pending.append(result)
        self.bar.advance(self.task)

    def note(self, step: int, learning_rate: float) -> float:
        """Fetches what is pending, draws it and returns its mean loss per token."""
        if not self.pending:
            return self.loss / max(self.tokens, 1)
        loss = sum(float(result.loss) for result in self.pending)
        tokens = sum(int(result.tokens) for result in self.pending)
        now = time.monotonic()
        seconds, self.since = now - self.since, now
        with self.train.as_default():
            tf.summary.scalar("loss", loss / tokens, step)
            tf.summary.scalar("learning_rate", learning_rate, step)
            tf.summary.scalar("gradient_norm", self.pending[-1].gradient_norm, step)
            tf.summary.scalar("tokens_per_second", tokens / seconds, step)
        self.pending = []
        self.loss, self.tokens = self.loss + loss, self.tokens + tokens
        self.seconds += seconds
        rate = self.tokens / self.seconds
        self.bar.update(self.task, loss=loss / tokens, rate=rate)
        return loss / tokens

    def end_epoch(self, step: int, dev_loss: float, better: bool) -> None:
        with self.dev.as_default():
            tf.summary.scalar("loss", dev_loss, step)
        self.console.print(
            f"epoch {self.epoch}/{self.epochs}: {self.trained()}"
            f"dev {dev_loss:.3f}{' (best)' if better else ''}",
            highlight=False,
        )

    def trained(self) -> str:
        """Loss and speed of the epoch; nothing if a resumed run found it trained."""
        if not self.tokens:
            return ""
        rate = self.tokens / self.seconds
        return (
            f"{self.seconds:.0f} s, {rate:,.0f} tokens/s, "
            f"loss {self.loss / self.tokens:.3f}, "
        )
