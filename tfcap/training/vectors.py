"""Variables laid end to end in one vector, which one operation reads or updates.

A step of many small operations spends its time on starting them. Weights, Adam's
moments and the average are therefore trained as vectors. The variables that a
checkpoint holds, those of model, optimizer and average, are set from the vectors
whenever something reads them.
"""

from collections.abc import Sequence
from math import prod

import keras
import tensorflow as tf

from tfcap.models.base import CaptioningModel
from tfcap.training.optimizers import Adam
from tfcap.training.weight_average import WeightAverage


class Vector:
    """Float32 variables end to end; made in the strategy's scope.

    Args:
        variables: what the vector stands for.
    """

    def __init__(self, variables: Sequence[tf.Variable]):
        self.variables = variables
        self.sizes = [prod(variable.shape) for variable in variables]
        self.values = tf.Variable(tf.zeros([sum(self.sizes)]))

    def gather(self) -> None:
        """Sets the vector to the values of the variables."""
        parts = [tf.reshape(variable, [-1]) for variable in self.variables]
        self.values.assign(tf.concat(parts, 0))

    def spread(self) -> None:
        """Sets the variables to the values of the vector."""
        for variable, part in zip(self.variables, self.parts(), strict=True):
            variable.assign(part)

    def approach(self, other: "Vector", rate: tf.Tensor) -> None:
        """Moves the values towards another vector's; in a replica's context.

        Args:
            other: as long as this one.
            rate: fraction of the distance.
        """
        tf.raw_ops.ResourceApplyGradientDescent(
            var=self.values.handle, alpha=rate, delta=self.values - other.values
        )

    def parts(self) -> list[tf.Tensor]:
        """Returns the vector's values in the shapes of the variables."""
        parts = tf.split(self.values, self.sizes)
        return [tf.reshape(part, v.shape) for part, v in zip(parts, self.variables)]


class Group:
    """Weights with one learning rate, their moments and averages, as vectors.

    Args:
        model: its trainable variables are the weights.
        adam: built for them.
        average: of them; None without.
        chosen: the weights of the group.
        factor: of the learning rate.
    """

    def __init__(
        self,
        model: CaptioningModel,
        adam: Adam,
        average: WeightAverage | None,
        chosen: slice,
        factor: float,
    ):
        self.variables, self.factor = model.trainable_variables[chosen], factor
        self.weights = Vector([variable.value for variable in self.variables])
        self.momentum = Vector([m.value for m in adam.momentums[chosen]])
        self.velocity = Vector([v.value for v in adam.velocities[chosen]])
        self.average = Vector(average.averages[chosen]) if average else None

    @property
    def vectors(self) -> list[Vector]:
        vectors = [self.weights, self.momentum, self.velocity]
        return [*vectors, self.average] if self.average else vectors

    def update(self, gradient: tf.Tensor, rate: tf.Tensor, adam: Adam) -> None:
        """Updates weights and moments; in a replica's context.

        Args:
            gradient: summed over the replicas, as long as the vector.
            rate: learning rate, corrected for the first steps' short memory.
            adam: gives the other constants.
        """
        variables = self.weights, self.momentum, self.velocity
        tf.raw_ops.ResourceApplyAdam(
            **dict(zip(("var", "m", "v"), (v.values.handle for v in variables))),
            beta1_power=0.0,  # `rate` is corrected
            beta2_power=0.0,
            lr=rate * self.factor if self.factor != 1 else rate,
            beta1=adam.beta_1,
            beta2=adam.beta_2,
            epsilon=adam.epsilon,
            grad=gradient,
        )


class Vectors:
    """All trained weights of a run, with moments and averages, as vectors.

    Make it in the strategy's scope; `gather` sets the vectors before the first step.

    Args:
        model: the model that is trained.
        optimizer: of `make_optimizer`.
        average: moving average of the weights; None without.
    """

    def __init__(
        self,
        model: CaptioningModel,
        optimizer: keras.optimizers.Optimizer,
        average: WeightAverage | None = None,
    ):
        self.optimizer, self.average = optimizer, average
        adam: Adam = getattr(optimizer, "inner_optimizer", optimizer)
        adam.groups = self.groups = tuple(
            Group(model, adam, average, chosen, factor)
            for chosen, factor in adam.rates()
        )
        self.gather()

    @property
    def weights(self) -> list[tf.Variable]:
        """The weights, a vector for each group."""
        return [group.weights.values for group in self.groups]

    def gather(self) -> None:
        """Sets the vectors to the variables of model, optimizer and average."""
        for group in self.groups:
            for vector in group.vectors:
                vector.gather()

    def spread(self) -> None:
        """Sets the variables of model, optimizer and average to the vectors."""
        for group in self.groups:
            for vector in group.vectors:
                vector.spread()

    def in_model(self) -> keras.StatelessScope:
        """Returns the scope in which the model computes with the vectors' weights."""
        return keras.StatelessScope(
            [
                pair
                for group in self.groups
                for pair in zip(group.variables, group.weights.parts(), strict=True)
            ]
        )

    def update(self, gradients: Sequence[tf.Tensor], since: tf.Tensor) -> None:
        """Updates weights and average; in a replica's context.

        Args:
            gradients: of `weights`, summed over the replicas, times the loss scale.
            since: number of updates before this one.
        """
        self.optimizer.apply(gradients, self.weights)
        if self.average:
            rate = self.average.rate(self.optimizer.iterations.value, since)
            for group in self.groups:
                if group.average:
                    group.average.approach(group.weights, rate)
