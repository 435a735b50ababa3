"""A moving average of the weights, which often scores better than the weights."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import tensorflow as tf


class WeightAverage(tf.Module):
    """An exponential moving average, kept in the checkpoint beside the weights.

    Source: Polyak and Juditsky, "Acceleration of Stochastic Approximation by
    Averaging", 1992. The decay is at most (1 + t) / (10 + t) after t updates, as in
    `tf.train.ExponentialMovingAverage`, so that the average of a short run is not
    dominated by its first weights.

    Args:
        variables: the weights. Make the average in the strategy's scope.
        decay: fraction of the average that is kept at each update, late in a run.
    """

    def __init__(self, variables: Sequence[tf.Variable], decay: float):
        super().__init__()
        self.decay = decay
        self.averages = [tf.Variable(v, trainable=False) for v in variables]

    def rate(self, updates: tf.Tensor, since: tf.Tensor) -> tf.Tensor:
        """Returns the fraction that the average moves towards the weights.

        Args:
            updates: number of updates of the weights.
            since: that number before the step. It is the same if the gradient
                overflowed and the update was left out.
        """
        t = tf.cast(updates, tf.float32)
        rate = 1 - tf.minimum(self.decay, (1 + t) / (10 + t))
        return tf.where(updates == since, 0.0, rate)

    @contextmanager
    def in_place_of(self, variables: Sequence[tf.Variable]) -> Iterator[None]:
        """Sets the variables to the averages while the body runs, then back."""
        weights = [tf.identity(variable) for variable in variables]
        assign(variables, self.averages)
        try:
            yield
        finally:
            assign(variables, weights)


def assign(variables: Sequence[tf.Variable], values: Sequence[tf.Tensor]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(tf.identity(value))
