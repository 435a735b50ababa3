"""The training loop under tf.distribute.

Keras 3's `fit` fails under MultiWorkerMirroredStrategy (keras-team/keras 20585), so
the loop is our own; models and optimizers are Keras'.
"""

import math
import signal
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

import tensorflow as tf

from records.errors import UserError
from records.format.record_set import RecordSet
from tfcap.config.experiment import Config
from tfcap.data.padding import RowCounts
from tfcap.data.pipeline import scoring_batches, training_batches
from tfcap.memory import is_out_of_memory
from tfcap.models import build_model
from tfcap.runs import checkpoints
from tfcap.runs.checkpoints import NullCheckpoints
from tfcap.runs.workdir import Progress, Workdir, resolve_config
from tfcap.training.diagnostics import explain_not_finite, find_damage, remedy_of_memory
from tfcap.training.distributed.cluster import ALONE, Cluster
from tfcap.training.distributed.collectives import Workers
from tfcap.training.distributed.strategies import check_global_batch, make_strategy
from tfcap.training.metrics_logger import MetricsLogger
from tfcap.training.optimizers import make_optimizer, make_schedule
from tfcap.training.run_summary import print_summary
from tfcap.training.sample_captions import Samples
from tfcap.training.self_critical import SelfCritical
from tfcap.training.signals import StopRequest, StopTraining
from tfcap.training.train_step import Objective, make_score_step, make_train_step
from tfcap.training.weight_average import WeightAverage, assign

# Read as one data set. Their orders are all in memory, of each the shards' numbers.
EPOCHS_AT_ONCE = 32


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


class Trainer:
    """One training run, resumed if the work directory holds a checkpoint.

    Args:
        config: the experiment.
        records: what to train on; needs the splits train and dev.
        workdir: for checkpoints and curves; `lock_workdir` keeps others out. Of several
            workers the chief alone reads and writes it.
        photos: folder of the photo files, to show beside sample captions; None for
            where they were when the records were made.
        cluster: the workers of this run; all must be given the same.
    """

    def __init__(
        self,
        config: Config,
        records: RecordSet,
        workdir: str,
        photos: str | None = None,
        cluster: Cluster = ALONE,
    ):
        # First of all: multi-worker strategies must be made before any other work.
        self.strategy = make_strategy(config.training.strategy, cluster)
        self.cluster, self.workers = cluster, Workers(self.strategy, cluster)
        check_global_batch(config.training.global_batch, self.strategy)
        records.shard_paths("dev")
        config = resolve_config(config, records)
        self.config, self.records = config, records
        self.settings = config.training
        self.workdir = None
        if cluster.is_chief:
            self.workdir = Workdir.create_or_resume(workdir, config, records)
        photos_held = records.manifest.photos("train")
        self.steps_per_epoch = self.settings.steps_per_epoch(photos_held)
        self.progress, self.stop = Progress(), StopRequest()
        self.metrics = MetricsLogger(self.workdir, self.steps_per_epoch, self.settings)
        with self.workers.watched():
            self.workers.check_same(
                config.model_dump_json(), records.manifest.content_digest
            )
            with self.strategy.scope():
                self.build_state()
            self.restore()
        objective, dev_objective = self.objectives()
        self.train_step = make_train_step(
            self.strategy,
            self.model,
            self.optimizer,
            self.settings,
            self.average,
            objective,
        )
        padded = self.settings.jit_compile
        self.score_step = make_score_step(
            self.strategy, self.model, padded, dev_objective
        )
        self.counts = {
            split: RowCounts(records, split) if padded else None
            for split in ("train", "dev")
        }
        if cluster.is_chief:
            self.samples = Samples(self.model, records, config, photos)

    def build_state(self) -> None:
        """All that a checkpoint holds, as it is before the first step."""
        self.schedule = make_schedule(
            self.settings.schedule, self.steps_per_epoch, self.settings.epochs
        )
        self.model = build_model(
            self.config, self.records.manifest, self.records.vocabulary
        )
        self.optimizer = make_optimizer(self.schedule, self.settings, self.model)
        decay = self.settings.average_decay
        self.average = None
        if decay is not None:
            self.average = WeightAverage(self.weights, decay)

    def objectives(self) -> tuple[Objective | None, Objective | None]:
        """Those of training and of the dev split; None for cross-entropy."""
        if self.settings.self_critical is None:
            return None, None
        rewarded = SelfCritical.of(self.config, self.records)
        return rewarded, rewarded.dev

    def restore(self) -> None:
        """Goes back to the newest checkpoint; without one, gets the model ready."""
        average = {"average": self.average} if self.average is not None else {}
        self.state = tf.train.Checkpoint(
            model=self.model,
            optimizer=self.optimizer,
            progress=self.progress,
            **average,
        )
        self.last, self.best = NullCheckpoints(), NullCheckpoints()
        if self.workdir:
            self.last, self.best = self.workdir.last_and_best()
        self.last_saved = self.last.newest()
        if self.last_saved:
            checkpoints.read(self.state, self.last_saved)
            print(f"resuming {self.workdir.path} at {self.where()}", file=sys.stderr)
        elif self.settings.init:
            Workdir.open(self.settings.init).give_weights(self.model, self.workdir)
            if self.average is not None:
                assign(self.average.averages, self.weights)
        else:
            self.model.prepare(self.records)
        self.workers.copy_from_chief(self.variables())

    def variables(self) -> list[tf.Variable]:
        """All that a checkpoint holds."""
        of_keras = [*self.model.variables, *self.optimizer.variables]
        averages = self.average.averages if self.average is not None else []
        return [v.value for v in of_keras] + [*averages, *self.progress.variables]

    def run(self) -> Outcome:
        """Trains to the last epoch, to the end of patience or to a signal.

        Raises:
            UserError: a loss is no number, a shard is damaged, there is no space to
                save to, no memory for a step, or another worker has gone; says where,
                and what the last good state is.
        """
        stopped = None
        if self.cluster.is_chief:
            print_summary(self)
        with self.stop, self.metrics:
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
            stopped=stopped,
        )

    def epochs_left(self) -> Iterator[tuple[int, Iterator]]:
        """Each epoch to be trained, with batches that begin where it goes on."""
        epochs = range(int(self.progress.epoch), self.settings.epochs)
        for number, epoch in enumerate(epochs):
            if self.out_of_patience():
                return
            if number % EPOCHS_AT_ONCE == 0:
                batches = iter(self.batches(len(epochs[number:][:EPOCHS_AT_ONCE])))
            yield epoch, batches

    def batches(self, epochs: int) -> tf.distribute.DistributedDataset:
        """What is left of this epoch and those after it, so many in all."""
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
        """Raises StopTraining if a signal has come; workers do so after the same step.

        They ask each other only at every `log_steps`-th one, where they wait for the
        results anyway.
        """
        if self.cluster.is_alone:
            self.stop.raise_if_stopped()
        elif number % self.settings.log_steps == 0:
            self.stop.raise_if_any_stopped(self.workers.gather(self.stop.signal or 0))

    def raise_user_error(self, error: tf.errors.OpError | MemoryError) -> None:
        """Raises a UserError in the place of an error that a user can put right."""
        if is_out_of_memory(error):
            raise UserError(
                f"out of memory at {self.where()}: {remedy_of_memory(self.settings)}, "
                "in a new --workdir"
            ) from None
        self.workers.explain(error)
        problem = find_damage(self.records, ("train", "dev"))
        if problem:
            self.save()  # a batch that could not be read has changed nothing
            kept = "the state there is saved"
            if not self.cluster.is_chief:
                kept = "what the chief saved last stays"
            raise UserError(
                f"{problem}. Reading failed at {self.where()}, and {kept}: put the "
                f"records right (python -m records verify {self.records.directory}), "
                "then give the same command again"
            ) from None

    def save(self) -> None:
        """Saves the state, once all of it is known to be good."""
        self.flush_metrics()
        self.last_saved = self.last.save(self.state)

    def flush_metrics(self) -> None:
        """Fetches the results since the last time: the only wait for the device.

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
        # A shard cut off between two records gives no error, only fewer photos.
        RecordSet.open(self.records.directory)
        with self.averaged():
            loss = self.dev_loss()
            better = loss < float(self.progress.best_loss)
            self.progress.epoch.assign(epoch + 1)
            self.progress.step_in_epoch.assign(0)
            if better:
                self.progress.best_loss.assign(loss)
                self.progress.best_epoch.assign(epoch + 1)
                self.best.save(self.state)
            if self.cluster.is_chief:
                self.metrics.show_samples(self.steps, self.samples)
        self.save()
        self.metrics.end_epoch(self.steps, loss, better)

    def averaged(self):
        """While it is open, the model has the averaged weights, if there are any."""
        if self.average is None:
            return nullcontext()
        return self.average.in_place_of(self.weights)

    def dev_loss(self) -> float:
        """Mean cross-entropy over all target tokens of the dev split, nats.

        Raises:
            UserError: it is not finite.
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
                f"the dev loss is {loss} after step {self.steps}; the last good state "
                f"is {self.last_saved}. python -m records verify "
                f"{self.records.directory} tells whether features of the dev photos "
                "are not finite"
            )
        return loss

    def out_of_patience(self) -> bool:
        waited = int(self.progress.epoch) - int(self.progress.best_epoch)
        return self.settings.patience is not None and waited >= self.settings.patience

    @property
    def weights(self) -> list[tf.Variable]:
        return [variable.value for variable in self.model.trainable_variables]

    @property
    def steps(self) -> int:
        """Global batches trained on since the first epoch."""
        done = int(self.progress.epoch) * self.steps_per_epoch
        return done + int(self.progress.step_in_epoch)

    def where(self) -> str:
        epoch, step = int(self.progress.epoch), int(self.progress.step_in_epoch)
        return f"epoch {epoch + 1}, step {step} of {self.steps_per_epoch}"
