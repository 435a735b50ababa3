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
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf
from keras.optimizers.schedules import LearningRateSchedule

from records.wording import counted
from tfcap.config.training import ScheduleConfig, TrainingConfig
from tfcap.models.base import CaptioningModel

if TYPE_CHECKING:
    from tfcap.training.vectors import Group

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
    """Adam of weights that lie in vectors (`tfcap.training.vectors`).

    Its own variables are one for each weight, as checkpoints hold them.

    Args:
        schedule: the learning rate of the first variables.
        first: index of the first variable with the second rate; None without any.
        factor: ratio of the second rate to the first.
    """

    groups: "Sequence[Group]" = ()

    def __init__(
        self,
        schedule: LearningRateSchedule,
        first: int | None = None,
        factor: float = 1.0,
    ):
        super().__init__(schedule)
        self.first, self.factor = first, factor

    @property
    def momentums(self) -> list[keras.Variable]:
        return self._momentums

    @property
    def velocities(self) -> list[keras.Variable]:
        return self._velocities

    def rates(self) -> list[tuple[slice, float]]:
        """Returns the variables of each learning rate, and its ratio to the first."""
        if self.first is None:
            return [(slice(None), 1.0)]
        return [(slice(self.first), 1.0), (slice(self.first, None), self.factor)]

    def apply(
        self, grads: Sequence[tf.Tensor], trainable_variables: object = None
    ) -> None:
        """Updates the vectors; in a replica's context.

        Args:
            grads: a gradient for each group, summed over the replicas. Keras would
                sum them again.
            trainable_variables: is ignored; Keras' loss scale gives it.
        """
        step = tf.cast(self.iterations.value, tf.float32)
        rate = self.learning_rate * tf.sqrt(1 - self.beta_2 ** (step + 1))
        rate /= 1 - self.beta_1 ** (step + 1)
        for group, gradient in zip(self.groups, grads, strict=True):
            group.update(gradient, rate, self)
        # A step whose batch cannot be read has no gradient, and must not count.
        with tf.control_dependencies(list(grads)):
            one = tf.ones([], self.iterations.dtype)
        self.iterations.assign_add(one)


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
        optimizer = Adam(schedule, first, factor)
    if config.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(model.trainable_variables)
    return optimizer
