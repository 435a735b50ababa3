"""A tiny model's training steps, for several tests."""

import tensorflow as tf

from tfcap.config import Config, parse_config
from tfcap.input_pipeline import training_batches
from tfcap.models import build_model
from tfcap.optimizers import make_optimizer
from tfcap.schedules import make_schedule
from tfcap.static_shapes import RowCounts
from tfcap.strategies import make_strategy, mirrored
from tfcap.train_step import StepResult, make_train_step


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


class Steps:
    """A model and its training step."""

    def __init__(self, config, records, replicas: int = 1, losses_of=None):
        self.strategy = make_strategy("cpu")
        if replicas > 1:
            devices = tf.config.list_logical_devices("CPU")[:replicas]
            self.strategy = mirrored(devices)
        training = config.training
        with self.strategy.scope():
            self.model = build_model(config, records.manifest, records.vocabulary)
            schedule = make_schedule(training.schedule, 3, training.epochs)
            self.optimizer = make_optimizer(schedule, training, self.model)
        self.step = make_train_step(
            self.strategy, self.model, self.optimizer, training, None, losses_of
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
        results = [self.step(self.batches) for _ in range(count)]
        return [StepResult(*map(float, result)) for result in results]
