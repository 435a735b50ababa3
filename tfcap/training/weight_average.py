"""A moving average of the weights, which often describes photos better than they do."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import tensorflow as tf


class WeightAverage(tf.Module):
    """Exponential moving average, kept in the checkpoint beside the weights.

    Source: Polyak and Juditsky, "Acceleration of Stochastic Approximation by
    Averaging", 1992. At first the decay is less, (1 + t) / (10 + t) after t updates, as
    in `tf.train.ExponentialMovingAverage`: a short run would else average over weights
    that have not learnt yet.

    Args:
        variables: the weights; make it in the strategy's scope.
        decay: how much of the average stays at each update, late in a run.
    """

    def __init__(self, variables: Sequence[tf.Variable], decay: float):
        super().__init__()
        self.decay = decay
        self.averages = [tf.Variable(v, trainable=False) for v in variables]

    def update(
        self, variables: Sequence[tf.Variable], updates: tf.Tensor, since: tf.Tensor
    ) -> None:
        """Takes the weights in after `updates` of them; in a replica's context.

        Args:
            since: the updates before the step; as many, where its gradient overflowed
                and it was left out.
        """
        t = tf.cast(updates, tf.float32)
        goes = 1 - tf.minimum(self.decay, (1 + t) / (10 + t))
        goes = tf.where(updates == since, 0.0, goes)
        for average, variable in zip(self.averages, variables, strict=True):
            average.assign_sub(goes * (average - variable))

    @contextmanager
    def in_place_of(self, variables: Sequence[tf.Variable]) -> Iterator[None]:
        """Gives the model the averages while the body runs, then its own weights."""
        own = [tf.identity(variable) for variable in variables]
        assign(variables, self.averages)
        try:
            yield
        finally:
            assign(variables, own)


def assign(variables: Sequence[tf.Variable], values: Sequence[tf.Tensor]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(tf.identity(value))
