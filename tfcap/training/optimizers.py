"""The optimizer of a run and its learning rate, a function of the step.

Schedules and Adam are Keras'. These parts of Keras do not fit:

- The warm-up of `CosineDecay` gives the first step a rate of 0; `WarmUp` does not.
- `global_clipnorm` clips each replica's share, and hides the norm that is logged.
- `use_ema` has a constant decay, which ties the average of a short run to its first
  weights; see `tfcap.training.weight_average`.
- A constant rate would be a variable of the optimizer, which a checkpoint then holds;
  it is a schedule like all others instead.
"""

import logging
from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf
from keras.optimizers.schedules import LearningRateSchedule

from records.wording import counted
from tfcap.config.training import ScheduleConfig, TrainingConfig
from tfcap.models.base import CaptioningModel

LOGGER = logging.getLogger(__name__)


class WarmUp(LearningRateSchedule):
    """Rises linearly over `steps`, then follows another schedule from its start.

    Source: Goyal et al., "Accurate, Large Minibatch SGD", 2017, section 2.2.
    """

    def __init__(self, after: LearningRateSchedule, steps: int):
        super().__init__()
        self.after = after
        self.steps = steps

    def __call__(self, step: tf.Tensor | int) -> tf.Tensor:
        step = tf.cast(step, tf.float32)
        rising = self.after(0) * (step + 1) / self.steps
        after = self.after(tf.maximum(step - self.steps, 0))
        return tf.where(step < self.steps, rising, after)

    def get_config(self) -> dict[str, Any]:
        return {"after": self.after, "steps": self.steps}


def beyond_training(
    config: ScheduleConfig, steps_per_epoch: int, epochs: int
) -> Iterator[str]:
    """Describes the parts of a schedule that lie after the last step."""
    total = steps_per_epoch * epochs
    if config.warmup_steps > total:
        yield (
            f"warmup_steps is {config.warmup_steps}, but training has "
            f"{counted(total, 'step')} ({counted(epochs, 'epoch')} of "
            f"{steps_per_epoch:,}): the learning rate never reaches {config.rate:g}"
        )
    late = [f"({epoch}, {rate:g})" for epoch, rate in config.steps if epoch >= epochs]
    if late:
        yield (
            f"steps: {', '.join(late)} come after the last epoch: training has {epochs}"
        )


def make_schedule(
    config: ScheduleConfig, steps_per_epoch: int, epochs: int
) -> LearningRateSchedule:
    """Returns the learning rate as a function of the step, from 0.

    The first `warmup_steps` steps rise to the start of the schedule.
    """
    schedules, total = keras.optimizers.schedules, steps_per_epoch * epochs
    for problem in beyond_training(config, steps_per_epoch, epochs):
        LOGGER.warning("warning: training.schedule.%s", problem)
    if config.kind == "step":
        rates = [config.rate, *(rate for _, rate in config.steps)]
        # Keras changes the rate after the boundary; here an epoch's first step does.
        ends = [epoch * steps_per_epoch - 1 for epoch, _ in config.steps]
        schedule = schedules.PiecewiseConstantDecay(ends, rates)
    elif config.kind == "cosine":
        steps = max(1, total - config.warmup_steps)
        schedule = schedules.CosineDecay(config.rate, steps, config.final_fraction)
    else:
        schedule = schedules.PiecewiseConstantDecay([1], [config.rate] * 2)
    return WarmUp(schedule, config.warmup_steps) if config.warmup_steps else schedule


class Adam(keras.optimizers.Adam):
    """Adam for gradients that were summed over the replicas before.

    Clipping by the global norm needs the sum. Keras would sum the gradients again.
    """

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> Any:
        return grads_and_vars


class AdamOfTwoRates(Adam):
    """Adam with a second learning rate for the last variables.

    Args:
        schedule: the learning rate of the first variables.
        first: index of the first variable with the second rate.
        factor: ratio of the second rate to the first.
    """

    def __init__(self, schedule: LearningRateSchedule, first: int, factor: float):
        super().__init__(schedule)
        self.first, self.factor = first, factor

    def update_step(
        self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor
    ) -> None:
        if self._get_variable_index(variable) >= self.first:
            learning_rate = learning_rate * tf.cast(self.factor, learning_rate.dtype)
        super().update_step(gradient, variable, learning_rate)


def make_optimizer(
    schedule: LearningRateSchedule, config: TrainingConfig, model: CaptioningModel
) -> keras.optimizers.Optimizer:
    """Returns Adam, built; in mixed_float16 with a scaled loss against underflow.

    Where gradients overflow, the update is left out and the scale is halved. It is
    doubled after 2,000 steps without an overflow.

    Source: Micikevicius et al., "Mixed Precision Training", 2018, section 3.2.
    """
    optimizer = Adam(schedule)
    if config.fine_tuning and model.encoder is not None:
        last = len(model.encoder.trainable_variables)
        first = len(model.trainable_variables) - last
        factor = config.fine_tuning.rate / config.schedule.rate
        optimizer = AdamOfTwoRates(schedule, first, factor)
    if config.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(model.trainable_variables)
    return optimizer
