"""The training loop under tf.distribute.

Keras 3's `fit` fails under MultiWorkerMirroredStrategy (keras-team/keras 20585), so
the loop is our own; models and optimizers are Keras'.
"""

import math
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import keras

from records.errors import UserError
from records.reader import RecordSet
from tfcap.config import Config
from tfcap.curves import Curves
from tfcap.input_pipeline import scoring_batches, training_batches
from tfcap.models import build_model
from tfcap.schedules import make_schedule
from tfcap.strategies import check_global_batch, make_strategy
from tfcap.train_step import make_score_step, make_train_step
from tfcap.workdir import Progress, Workdir, make_checkpoint, settled

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        epochs: finished.
        steps: global batches trained on.
        best_epoch: the one with the lowest dev loss, from 1.
        best_loss: dev loss per token then, nats.
        stopped: the signal that stopped it, None if it came to its end.
    """

    epochs: int
    steps: int
    best_epoch: int
    best_loss: float
    stopped: signal.Signals | None


class StopTraining(Exception):  # noqa: N818
    """A signal asked the run to stop; its state is saved."""


class Trainer:
    """One training run, resumed if the work directory holds a checkpoint.

    Args:
        config: the experiment.
        records: what to train on; needs the splits train and dev.
        workdir: for checkpoints and curves.
    """

    def __init__(self, config: Config, records: RecordSet, workdir: str):
        # First of all: multi-worker strategies must be made before any other work.
        self.strategy = make_strategy(config.training.strategy)
        check_global_batch(config.training.global_batch, self.strategy)
        records.shard_paths("dev")
        config = settled(config, records)
        self.config, self.records = config, records
        self.settings = config.training
        self.workdir = Workdir.create_or_resume(workdir, config, records)
        photos = records.manifest.photos("train")
        self.steps_per_epoch = math.ceil(photos / self.settings.global_batch)
        self.progress = Progress()
        with self.strategy.scope():
            self.make_state()
        self.train_step = make_train_step(
            self.strategy, self.model, self.optimizer, self.settings
        )
        self.score_step = make_score_step(self.strategy, self.model)
        self.stop_signal: signal.Signals | None = None

    def make_state(self) -> None:
        """Model, optimizer and progress, from the newest checkpoint if there is one."""
        self.schedule = make_schedule(
            self.settings.schedule, self.steps_per_epoch, self.settings.epochs
        )
        self.model = build_model(
            self.config, self.records.manifest, self.records.vocabulary
        )
        self.optimizer = keras.optimizers.Adam(self.schedule)
        self.optimizer.build(self.model.trainable_variables)
        checkpoint = make_checkpoint(self.model, self.optimizer, self.progress)
        self.last, self.best = self.workdir.managers(checkpoint)
        if self.last.latest_checkpoint:
            restored = checkpoint.restore(self.last.latest_checkpoint)
            restored.assert_existing_objects_matched()
            print(f"resuming {self.workdir.path} at {self.where()}", file=sys.stderr)

    def run(self) -> Outcome:
        """Trains to the last epoch, to the end of patience or to a signal."""
        first = int(self.progress.epoch)
        with (
            self.signals_noted(),
            Curves(self.workdir, self.steps_per_epoch, self.settings) as self.curves,
        ):
            try:
                for epoch in range(first, self.settings.epochs):
                    if self.out_of_patience():
                        break
                    self.train_epoch(epoch)
                    self.end_epoch(epoch)
            except StopTraining:
                pass
        return Outcome(
            epochs=int(self.progress.epoch),
            steps=self.steps,
            best_epoch=int(self.progress.best_epoch),
            best_loss=float(self.progress.best_loss),
            stopped=self.stop_signal,
        )

    def train_epoch(self, epoch: int) -> None:
        done = int(self.progress.step_in_epoch)
        batches = self.strategy.distribute_datasets_from_function(
            lambda context: training_batches(
                self.records, self.settings, epoch, done, context
            )
        )
        self.curves.start_epoch(epoch, done)
        iterator = iter(batches)
        for _ in range(done, self.steps_per_epoch):
            self.curves.step(self.train_step(iterator))
            self.progress.step_in_epoch.assign_add(1)
            if self.steps % self.settings.log_steps == 0:
                self.note()
            if self.stop_signal or self.steps % self.settings.checkpoint_steps == 0:
                self.note()
                self.last.save(self.steps)
            if self.stop_signal:
                raise StopTraining

    def note(self) -> None:
        """Fetches the losses since the last time: the only wait for the device."""
        loss = self.curves.note(self.steps, float(self.schedule(self.steps)))
        if not math.isfinite(loss):
            raise UserError(
                f"the loss is {loss} at step {self.steps} ({self.where()}); the last "
                f"good state is {self.last.latest_checkpoint}. Lower "
                "training.schedule.rate or set training.clip_norm"
            )

    def end_epoch(self, epoch: int) -> None:
        self.note()
        loss = self.dev_loss()
        better = loss < float(self.progress.best_loss)
        self.progress.epoch.assign(epoch + 1)
        self.progress.step_in_epoch.assign(0)
        if better:
            self.progress.best_loss.assign(loss)
            self.progress.best_epoch.assign(epoch + 1)
            self.best.save(self.steps)
        self.last.save(self.steps)
        self.curves.end_epoch(self.steps, loss, better)

    def dev_loss(self) -> float:
        """Mean cross-entropy over all target tokens of the dev split, nats."""
        batches = self.strategy.distribute_datasets_from_function(
            lambda context: scoring_batches(self.records, "dev", self.settings, context)
        )
        photos = self.records.manifest.photos("dev")
        iterator, steps = iter(batches), -(-photos // self.settings.global_batch)
        sums = [self.score_step(iterator) for _ in range(steps)]
        loss = sum(float(loss) for loss, _ in sums)
        return loss / sum(int(tokens) for _, tokens in sums)

    def out_of_patience(self) -> bool:
        waited = int(self.progress.epoch) - int(self.progress.best_epoch)
        return self.settings.patience is not None and waited >= self.settings.patience

    @property
    def steps(self) -> int:
        """Global batches trained on since the first epoch."""
        done = int(self.progress.epoch) * self.steps_per_epoch
        return done + int(self.progress.step_in_epoch)

    def where(self) -> str:
        epoch, step = int(self.progress.epoch), int(self.progress.step_in_epoch)
        return f"epoch {epoch + 1}, step {step} of {self.steps_per_epoch}"

    @contextmanager
    def signals_noted(self) -> Iterator[None]:
        """Ctrl-C and SIGTERM stop the run at the next step, its state saved."""

        def note(number: int, _) -> None:
            self.stop_signal = signal.Signals(number)

        before = {number: signal.signal(number, note) for number in SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
