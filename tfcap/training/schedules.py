"""Learning rate as a function of the step."""

import sys
from collections.abc import Iterator

import keras
import tensorflow as tf

from tfcap.config.training import ScheduleConfig

Schedule = keras.optimizers.schedules.LearningRateSchedule


class WarmUp(Schedule):
    """Rises linearly over `steps`, then follows another schedule from its start.

    Source: Goyal et al., "Accurate, Large Minibatch SGD", 2017, section 2.2.
    """

    def __init__(self, after: Schedule, steps: int):
        super().__init__()
        self.after = after
        self.steps = steps

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        rising = self.after(0) * (step + 1) / self.steps
        after = self.after(tf.maximum(step - self.steps, 0))
        return tf.where(step < self.steps, rising, after)

    def get_config(self):
        return {"after": self.after, "steps": self.steps}


def beyond_training(
    config: ScheduleConfig, steps_per_epoch: int, epochs: int
) -> Iterator[str]:
    """Yields what of a schedule comes after the last step."""
    total = steps_per_epoch * epochs
    if config.warmup_steps > total:
        yield (
            f"warmup_steps is {config.warmup_steps}, but training has {total} steps "
            f"({epochs} epochs of {steps_per_epoch}): the learning rate never reaches "
            f"{config.rate:g}"
        )
    late = [f"({epoch}, {rate:g})" for epoch, rate in config.steps if epoch >= epochs]
    if late:
        yield (
            f"steps: {', '.join(late)} come after the last epoch: training has {epochs}"
        )


def make_schedule(
    config: ScheduleConfig, steps_per_epoch: int, epochs: int
) -> Schedule:
    """Learning rate by step (from 0); warm-up steps come before the schedule's own."""
    schedules, total = keras.optimizers.schedules, steps_per_epoch * epochs
    for problem in beyond_training(config, steps_per_epoch, epochs):
        print(f"warning: training.schedule.{problem}", file=sys.stderr)
    if config.kind == "step":
        rates = [config.rate, *(rate for _, rate in config.steps)]
        # Keras changes the rate after the boundary, we at the epoch's first step.
        ends = [epoch * steps_per_epoch - 1 for epoch, _ in config.steps]
        schedule = schedules.PiecewiseConstantDecay(ends, rates)
    elif config.kind == "cosine":
        steps = max(1, total - config.warmup_steps)
        schedule = schedules.CosineDecay(config.rate, steps, config.final_fraction)
    else:
        schedule = schedules.PiecewiseConstantDecay([1], [config.rate] * 2)
    return WarmUp(schedule, config.warmup_steps) if config.warmup_steps else schedule
