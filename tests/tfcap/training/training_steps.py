"""A tiny model's training steps, for several tests."""

import tensorflow as tf

from tfcap.config.experiment import Config
from tfcap.config.loading import parse_config
from tfcap.data.padding import RowCounts
from tfcap.data.pipeline import training_batches
from tfcap.models import build_model
from tfcap.training.distributed.strategies import make_strategy, mirrored
from tfcap.training.optimizers import make_optimizer, make_schedule
from tfcap.training.train_step import StepResult, make_train_step
from tfcap.training.vectors import Vectors
from tfcap.training.weight_average import WeightAverage


def settings(**training) -> Config:
    units = {"image_units": 8, "lstm_units": 8, "embedding_units": 5}
    dropout = {"image_dropout": 0.2, "text_dropout": 0.3, "output_dropout": 0.1}
    training = {
        "global_batch": 8,
        "clip_norm": 0.1,
        "expansion": "causal",
        "schedule": {"kind": "constant", "rate": 0.01},
        **training,
    }
    return parse_config({"model": units | dropout, "training": training}, "test")


def strategy_of(replicas: int) -> tf.distribute.Strategy:
    """Makes a number of replicas, each on a logical CPU."""
    devices = tf.config.list_logical_devices("CPU")[:replicas]
    return mirrored(devices) if replicas > 1 else make_strategy("cpu")


class Steps:
    """A model and its training step."""

    def __init__(self, config, records, replicas: int = 1, objective=None):
        self.strategy = strategy_of(replicas)
        training = config.training
        with self.strategy.scope():
            self.model = build_model(config, records.manifest, records.vocabulary)
            schedule = make_schedule(training.schedule, 3, training.epochs)
            self.optimizer = make_optimizer(schedule, training, self.model)
            self.average = None
            if training.average_decay is not None:
                weights = [v.value for v in self.model.trainable_variables]
                self.average = WeightAverage(weights, training.average_decay)
            self.vectors = Vectors(self.model, self.optimizer, self.average)
        self.step = make_train_step(
            self.strategy, self.model, self.vectors, training, objective
        )
        counts = RowCounts(records, "train") if training.jit_compile else None
        self.make_batches = lambda epoch: iter(
            self.strategy.distribute_datasets_from_function(
                lambda context: training_batches(
                    records, training, epoch, context=context, counts=counts
                )
            )
        )
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        self.batches = self.make_batches(epoch)

    def take(self, count: int) -> list[StepResult]:
        """Trains; the model's variables have the weights afterwards."""
        results = StepResult.fetch([self.step(self.batches) for _ in range(count)])
        self.vectors.spread()
        return results
