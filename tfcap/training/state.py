"""The state of a run: all that a checkpoint holds."""

from contextlib import AbstractContextManager, nullcontext

import tensorflow as tf

from records.format.record_set import RecordSet
from tfcap.config.experiment import Config
from tfcap.models import build_model
from tfcap.runs.workdir import Progress, Workdir
from tfcap.training.optimizers import make_optimizer, make_schedule
from tfcap.training.vectors import Vectors
from tfcap.training.weight_average import WeightAverage, assign


class TrainingState:
    """Model, optimizer, weight average and progress, as they are before the first step.

    Steps train the vectors. Call `vectors.gather` after a change of the variables, and
    `vectors.spread` before the variables are read.

    Args:
        config: the experiment; make the state in the scope of its strategy.
        records: what is trained on.
        progress: how far training is; made outside that scope.

    Attributes:
        steps_per_epoch: global batches that an epoch has.
    """

    def __init__(self, config: Config, records: RecordSet, progress: Progress):
        settings = config.training
        self.steps_per_epoch = settings.steps_per_epoch(
            records.manifest.photos("train")
        )
        schedule = make_schedule(
            settings.schedule, self.steps_per_epoch, settings.epochs
        )
        self.config, self.records, self.progress = config, records, progress
        self.model = build_model(config, records.manifest, records.vocabulary)
        self.optimizer = make_optimizer(schedule, settings, self.model)
        self.average = None
        if settings.average_decay is not None:
            self.average = WeightAverage(self.weights, settings.average_decay)
        self.vectors = Vectors(self.model, self.optimizer, self.average)

    @property
    def weights(self) -> list[tf.Variable]:
        """Returns the trained weights of the model."""
        return [variable.value for variable in self.model.trainable_variables]

    @property
    def variables(self) -> list[tf.Variable]:
        """Returns all variables of model, optimizer, average and progress."""
        of_keras = [*self.model.variables, *self.optimizer.variables]
        averages = self.average.averages if self.average is not None else []
        return [v.value for v in of_keras] + [*averages, *self.progress.variables]

    def checkpoint(self) -> tf.train.Checkpoint:
        """Returns what saves and restores this state."""
        parts = {
            "model": self.model,
            "optimizer": self.optimizer,
            "progress": self.progress,
        }
        if self.average is not None:
            parts["average"] = self.average
        return tf.train.Checkpoint(**parts)

    def start(self) -> None:
        """Prepares the model for its first step.

        With `training.init` it takes the best weights of that run. Otherwise it
        computes what it needs to know of the records.

        Raises:
            UserError: the model or the records of `init` do not fit this run.
        """
        if not self.config.training.init:
            self.model.prepare(self.records)
            return
        run, manifest = Workdir.open(self.config.training.init), self.records.manifest
        run.give_weights(self.model, self.config, manifest)
        if self.average is not None:
            assign(self.average.averages, self.weights)

    def averaged(self) -> AbstractContextManager[None]:
        """Gives the model the averaged weights, if there are any, while it is open."""
        if self.average is None:
            return nullcontext()
        return self.average.in_place_of(self.weights)
