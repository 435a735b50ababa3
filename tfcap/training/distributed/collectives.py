"""Communication of workers besides the training steps."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import tensorflow as tf

from records.errors import UserError
from tfcap.training.distributed.cluster import Cluster

TASK = re.compile(r"/job:(\w+)/(?:replica:\d+/)?task:(\d+)")


class Workers:
    """The workers of a run, this process included.

    Every worker must make the same calls in the same order.
    """

    def __init__(self, strategy: tf.distribute.Strategy, cluster: Cluster):
        self.strategy, self.cluster = strategy, cluster

    def add_up(self, values: tf.Tensor) -> tf.Tensor:
        return self.strategy.reduce(tf.distribute.ReduceOp.SUM, values, axis=None)

    def gather(self, number: int) -> list[int]:
        """Returns the number that each worker passes, the chief's first."""
        if self.cluster.is_alone:
            return [number]
        numbers = [0] * len(self.cluster.addresses)
        numbers[self.cluster.number] = number
        return self.add_up(tf.constant(numbers, tf.int64)).numpy().tolist()

    def check_same(self, *texts: str) -> None:
        """Raises UserError unless all workers call it with the same texts."""
        digest = hashlib.sha256("\0".join(texts).encode()).digest()
        digests = self.gather(int.from_bytes(digest[:7], "big"))
        for number, other in enumerate(digests):
            if other != digests[0]:
                raise UserError(
                    f"{self.cluster.name(number)} has another configuration or other "
                    f"records than {self.cluster.name(0)}; give all workers the same"
                )

    def copy_from_chief(self, variables: Iterable[tf.Variable]) -> None:
        """Sets the variables of all workers to the chief's values."""
        if self.cluster.is_alone:
            return
        for variable in variables:
            value = tf.convert_to_tensor(variable)
            if not self.cluster.is_chief:
                value = tf.zeros_like(value)
            variable.assign(self.add_up(value))

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Raises UserError if the body fails because another worker is gone."""
        try:
            yield
        except tf.errors.OpError as error:
            self.explain(error)
            raise

    def explain(self, error: tf.errors.OpError) -> None:
        """Raises UserError if `error` means that another worker is gone."""
        if self.cluster.is_alone or "ollective" not in error.message:
            return
        raise UserError(
            f"{self.lost(error.message)} has gone, and no step can be made without it; "
            "its own output may say why. Start all workers again by the same commands: "
            "they resume from the last checkpoint"
        ) from None

    def lost(self, message: str) -> str:
        """Returns the name of the worker that an error is about."""
        tasks = list(self.cluster.addresses)
        named = [tasks.index("/".join(task)) for task in TASK.findall(message)]
        others = [number for number in named if number != self.cluster.number]
        return self.cluster.name(others[-1]) if others else "another worker"
