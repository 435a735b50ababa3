"""The optimizer of a run."""

import keras
import tensorflow as tf

from tfcap.config.training import TrainingConfig
from tfcap.models.base import CaptioningModel
from tfcap.training.schedules import Schedule


class Adam(keras.optimizers.Adam):
    """Adam for gradients that are summed over the replicas already.

    They must be, to be clipped by their norm; Keras would sum them up once more.
    """

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return grads_and_vars


class AdamOfTwoRates(Adam):
    """Adam whose last variables have a learning rate of their own.

    Args:
        schedule: the learning rate of the others.
        first: number of the first of the last ones.
        factor: by which theirs is greater.
    """

    def __init__(self, schedule: Schedule, first: int, factor: float):
        super().__init__(schedule)
        self.first, self.factor = first, factor

    def update_step(self, gradient, variable, learning_rate):
        if self._get_variable_index(variable) >= self.first:
            learning_rate = learning_rate * tf.cast(self.factor, learning_rate.dtype)
        super().update_step(gradient, variable, learning_rate)


def make_optimizer(
    schedule: Schedule, config: TrainingConfig, model: CaptioningModel
) -> keras.optimizers.Optimizer:
    """Adam, built; in mixed_float16 with a loss scaled against underflow.

    The scale is halved, and the step left out, where gradients overflow; it is doubled
    after 2,000 steps in which none did. Source: Micikevicius et al., "Mixed Precision
    Training", 2018, section 3.2.
    """
    optimizer = Adam(schedule)
    if config.fine_tuning:
        last = len(model.encoder.trainable_variables)
        first = len(model.trainable_variables) - last
        factor = config.fine_tuning.rate / config.schedule.rate
        optimizer = AdamOfTwoRates(schedule, first, factor)
    if config.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(model.trainable_variables)
    return optimizer
