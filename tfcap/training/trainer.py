"""The training loop under tf.distribute.

Keras 3's `fit` fails under MultiWorkerMirroredStrategy (keras-team/keras 20585).
Therefore the loop is written out; models and optimizers are Keras'.
"""

import logging
import math
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import tensorflow as tf

from records.errors import UserError
from records.format.record_set import RecordSet
from tfcap.config.experiment import Config
from tfcap.data.padding import RowCounts
from tfcap.data.pipeline import scoring_batches, training_batches
from tfcap.memory import is_out_of_memory
from tfcap.ops.dispatch import device_of
from tfcap.runs import checkpoints
from tfcap.runs.checkpoints import Checkpoints
from tfcap.runs.workdir import Progress, Workdir, begun_with, resolve_config
from tfcap.training.dev_scores import DevScores
from tfcap.training.diagnostics import (
    explain_damage,
    explain_dev_loss,
    explain_not_finite,
    explain_out_of_memory,
    find_damage,
)
from tfcap.training.distributed.cluster import ALONE, Cluster
from tfcap.training.distributed.collectives import Workers
from tfcap.training.distributed.strategies import check_global_batch, make_strategy
from tfcap.training.metrics_logger import MetricsLogger
from tfcap.training.native_choice import fix_native_ops
from tfcap.training.run_summary import describe, log_summary
from tfcap.training.sample_captions import Samples
from tfcap.training.self_critical import SelfCritical
from tfcap.training.signals import StopRequest, StopTraining, handled_by
from tfcap.training.state import TrainingState
from tfcap.training.train_step import make_score_step, make_train_step

LOGGER = logging.getLogger(__name__)
# Epochs that are read as one data set. The order of shards of each is held in memory.
EPOCHS_AT_ONCE = 32


@dataclass(frozen=True)
class Outcome:
    """The end of a run.

    Attributes:
        epochs: number of finished epochs.
        steps: number of global batches trained on.
        best_epoch: the epoch with the lowest dev loss, from 1.
        best_loss: dev loss of that epoch, nats per token; in self-critical training
            minus the mean CIDEr-D.
        loss_note: the text after the word "loss" where it is printed.
        stopped: the signal that stopped the run; None if it finished.
    """

    epochs: int
    steps: int
    best_epoch: int
    best_loss: float
    loss_note: str
    stopped: signal.Signals | None


class Trainer:
    """A training run, which resumes if the work directory holds a checkpoint.

    >>> from records import RecordSet
    >>> from tfcap import load_config
    >>> from tfcap.runs.workdir import lock_workdir
    >>> from tfcap.training import Trainer
    >>> records, config = RecordSet.open("data/records"), load_config("mine.yaml")
    >>> with lock_workdir("runs/mine"):
    ...     outcome = Trainer(config, records, "runs/mine").run()
    >>> outcome.epochs, outcome.best_epoch
    (1, 1)

    Args:
        config: the experiment.
        records: the records to train on, with the splits train and dev.
        workdir: directory of checkpoints and curves; `lock_workdir` keeps other runs
            out. Among several workers only the chief reads and writes it.
        photos: directory of the photo files, to show beside sample captions; None for
            the one that the records were made from.
        cluster: the workers of this run, the same in each of them.

    Raises:
        UserError: configuration, records and work directory do not fit together, or the
            strategy's devices cannot be used.
    """

    def __init__(
        self,
        config: Config,
        records: RecordSet,
        workdir: str,
        photos: str | None = None,
        cluster: Cluster = ALONE,
    ):
        # Before any other TensorFlow work, as multi-worker strategies require.
        self.strategy = make_strategy(config.training.strategy, cluster)
        self.cluster, self.workers = cluster, Workers(self.strategy, cluster)
        check_global_batch(config.training.global_batch, self.strategy)
        records.shard_paths("dev")
        config = resolve_config(config, records)
        with self.workers.watched():
            config = self.fix_native_ops(config, workdir)
        self.config, self.records = config, records
        self.settings = config.training
        self.workdir = None
        if cluster.is_chief:
            self.workdir = Workdir.create_or_resume(workdir, config, records)
        self.progress, self.stop = Progress(), StopRequest()
        with self.workers.watched():
            self.restore()
        self.make_steps()
        self.metrics = MetricsLogger(self.workdir, self.steps_per_epoch, self.settings)
        if cluster.is_chief:
            self.samples = Samples(self.model, records, config, photos)
            self.dev_scores = DevScores.of(self.model, records, config)

    def fix_native_ops(self, config: Config, workdir: str) -> Config:
        """Returns the configuration with native operations decided for this run."""
        first = begun_with(workdir) if self.cluster.is_chief else None
        return fix_native_ops(config, first, device_of(self.strategy), self.workers)

    def restore(self) -> None:
        """Builds the state, and sets it to the newest checkpoint if there is one."""
        self.workers.check_same(
            self.config.model_dump_json(), self.records.manifest.content_digest
        )
        with self.strategy.scope():
            state = TrainingState(self.config, self.records, self.progress)
        self.state, self.checkpoint = state, state.checkpoint()
        self.model, self.optimizer = state.model, state.optimizer
        self.steps_per_epoch = state.steps_per_epoch
        self.last: Checkpoints | None = None
        self.best: Checkpoints | None = None
        if self.workdir:
            self.last, self.best = self.workdir.last_and_best()
        self.last_saved = self.last.newest() if self.last else None
        if self.workdir and self.last_saved:
            checkpoints.read(self.checkpoint, self.last_saved)
            LOGGER.info("resuming %s at %s", self.workdir.path, self.where())
        else:
            state.start()
        self.workers.copy_from_chief(state.variables)
        state.vectors.gather()

    def make_steps(self) -> None:
        """Makes the compiled functions that train and score; nothing is traced yet."""
        objective = SelfCritical.of(self.config, self.records)
        state, padded = self.state, self.settings.jit_compile
        self.train_step = make_train_step(
            self.strategy, state.model, state.vectors, self.settings, objective
        )
        dev_objective = objective and objective.dev
        self.score_step = make_score_step(
            self.strategy, self.model, self.settings, dev_objective
        )
        self.counts = {
            split: RowCounts(self.records, split) if padded else None
            for split in ("train", "dev")
        }

    def run(self) -> Outcome:
        """Trains to the last epoch, to the end of patience or to a signal.

        Raises:
            UserError: a loss is not finite, a shard is damaged, the disk is full, a
                step does not fit into memory, or another worker is gone. The message
                names the step and the last good state.
        """
        stopped = None
        if self.cluster.is_chief:
            workers = len(self.cluster.addresses)
            log_summary(describe(self.state, self.strategy, workers))
        with handled_by(self.stop.note), self.metrics:
            try:
                for epoch, batches in self.epochs_left():
                    self.train_epoch(epoch, batches)
                    self.end_epoch(epoch)
            except StopTraining:
                self.save()
                stopped = self.stop.signal
            except (tf.errors.OpError, MemoryError) as error:
                self.raise_user_error(error)
                raise
        return Outcome(
            epochs=int(self.progress.epoch),
            steps=self.steps,
            best_epoch=int(self.progress.best_epoch),
            best_loss=float(self.progress.best_loss),
            loss_note=self.settings.loss_note,
            stopped=stopped,
        )

    def epochs_left(self) -> Iterator[tuple[int, Iterator]]:
        """Yields each epoch that is left and an iterator over its remaining batches."""
        epochs = range(int(self.progress.epoch), self.settings.epochs)
        for number, epoch in enumerate(epochs):
            if self.out_of_patience():
                return
            if number % EPOCHS_AT_ONCE == 0:
                batches = iter(self.batches(len(epochs[number:][:EPOCHS_AT_ONCE])))
            yield epoch, batches

    def batches(self, epochs: int) -> tf.distribute.DistributedDataset:
        """Returns the remaining batches of this epoch and of those that follow it.

        Args:
            epochs: number of epochs, this one included.
        """
        epoch, done = int(self.progress.epoch), int(self.progress.step_in_epoch)
        return self.strategy.distribute_datasets_from_function(
            lambda context: training_batches(
                self.records,
                self.settings,
                epoch,
                done,
                context,
                self.counts["train"],
                epochs,
            )
        )

    def train_epoch(self, epoch: int, batches: Iterator) -> None:
        done = int(self.progress.step_in_epoch)
        self.metrics.start_epoch(epoch, done)
        for _ in range(done, self.steps_per_epoch):
            self.metrics.step(self.train_step(batches))
            self.progress.step_in_epoch.assign_add(1)
            if self.steps % self.settings.log_steps == 0:
                self.flush_metrics()
            if self.steps % self.settings.checkpoint_steps == 0:
                self.save()
            self.check_stop_signal(self.steps)

    def check_stop_signal(self, number: int) -> None:
        """Raises StopTraining after a signal; all workers do so at the same step.

        Workers ask each other at every `log_steps`-th step, where they wait for the
        results anyway.
        """
        if self.cluster.is_alone:
            self.stop.raise_if_stopped()
        elif number % self.settings.log_steps == 0:
            self.stop.raise_if_any_stopped(self.workers.gather(self.stop.signal or 0))

    def raise_user_error(self, error: tf.errors.OpError | MemoryError) -> None:
        """Raises a UserError instead of an error that a user can correct."""
        if is_out_of_memory(error):
            explained = explain_out_of_memory(self.settings, self.where())
            raise UserError(explained) from None
        self.workers.explain(error)
        if failure := self.records.failure:
            self.save()
            raise UserError(f"{failure}. Training stopped in {self.where()}") from None
        problem = find_damage(self.records, ("train", "dev"))
        if problem:
            self.save()  # a batch that could not be read has changed nothing
            chief = self.cluster.is_chief
            explained = explain_damage(problem, self.records, self.where(), chief)
            raise UserError(explained) from None

    def save(self) -> None:
        """Saves the state, after all results were found finite."""
        self.flush_metrics()
        if self.last:
            self.state.vectors.spread()
            self.last_saved = self.last.save(self.checkpoint)

    def flush_metrics(self) -> None:
        """Fetches the results since the last call and logs them; waits for the device.

        Raises:
            UserError: a loss or gradient among them is not finite.
        """
        results = self.metrics.fetch()
        for number, result in enumerate(results, self.steps - len(results)):
            if not result.is_good():
                raise UserError(
                    explain_not_finite(self.records, self.settings, number, result)
                    + f" Nothing since was saved; the last good state is "
                    f"{self.last_saved or 'the beginning'}"
                )
        self.metrics.draw(self.steps, float(self.optimizer.learning_rate), results)

    def end_epoch(self, epoch: int) -> None:
        self.flush_metrics()
        self.metrics.start_scoring()
        # A shard cut off between two records gives no error, only fewer photos.
        if not self.records.cache:
            self.records.check_shards()
        self.state.vectors.spread()
        with self.state.averaged():
            loss = self.dev_loss()
            better = loss < float(self.progress.best_loss)
            self.progress.epoch.assign(epoch + 1)
            self.progress.step_in_epoch.assign(0)
            if better:
                self.progress.best_loss.assign(loss)
                self.progress.best_epoch.assign(epoch + 1)
                if self.best:
                    self.best.save(self.checkpoint)
            if self.cluster.is_chief:
                self.metrics.show_samples(self.steps, self.samples)
                if self.dev_scores:
                    self.metrics.show_scores(self.steps, self.dev_scores.compute())
        self.save()
        self.metrics.end_epoch(self.steps, loss, better)

    def dev_loss(self) -> float:
        """Returns the mean loss of the dev split: cross-entropy in nats per token.

        In self-critical training it is minus the mean reward of greedy captions.

        Raises:
            UserError: the loss is not finite.
        """
        batches = self.strategy.distribute_datasets_from_function(
            lambda context: scoring_batches(
                self.records, "dev", self.settings, context, self.counts["dev"]
            )
        )
        photos = self.records.manifest.photos("dev")
        iterator, steps = iter(batches), -(-photos // self.settings.global_batch)
        sums = []
        for number in range(steps):
            self.check_stop_signal(number)
            sums.append(self.score_step(iterator))
        loss = sum(float(loss) for loss, _ in sums) / sum(int(n) for _, n in sums)
        if not math.isfinite(loss):
            raise UserError(
                explain_dev_loss(loss, self.records, self.steps, self.last_saved)
            )
        return loss

    def out_of_patience(self) -> bool:
        waited = int(self.progress.epoch) - int(self.progress.best_epoch)
        return self.settings.patience is not None and waited >= self.settings.patience

    @property
    def steps(self) -> int:
        """Returns the number of global batches trained on since the first epoch."""
        done = int(self.progress.epoch) * self.steps_per_epoch
        return done + int(self.progress.step_in_epoch)

    def where(self) -> str:
        epoch, step = int(self.progress.epoch), int(self.progress.step_in_epoch)
        return f"epoch {epoch + 1}, step {step} of {self.steps_per_epoch}"
