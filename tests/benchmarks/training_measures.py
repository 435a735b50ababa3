"""Training steps: how many rows a second, and how long they wait for input."""

import time
from collections.abc import Iterable
from itertools import islice

import tensorflow as tf

from records.format.record_set import RecordSet
from tests.benchmarks import baselines
from tests.benchmarks.common import Sizes, experiment, lookup, row_rate
from tfcap.data.pipeline import training_batches
from tfcap.models import build_model
from tfcap.training.distributed.strategies import make_strategy
from tfcap.training.optimizers import make_optimizer, make_schedule
from tfcap.training.train_step import StepResult, make_train_step
from tfcap.training.vectors import Vectors

# One more than `training_batches` has ready: after so many steps none is left over
# from a pause.
PREFETCHED = 5


class Training:
    """Rows per second through tfcap's training step, and how long it waits."""

    def __init__(self, records: RecordSet, expansion: str, steps: int, sizes: Sizes):
        config = experiment(expansion, sizes.global_batch)
        self.steps = steps
        strategy = make_strategy("auto")
        with strategy.scope():
            model = build_model(config, records.manifest, records.vocabulary)
            schedule = make_schedule(config.training.schedule, steps, 30)
            optimizer = make_optimizer(schedule, config.training, model)
            vectors = Vectors(model, optimizer)
        self.step = timed_step(
            make_train_step(strategy, model, vectors, config.training)
        )
        batches = strategy.distribute_datasets_from_function(
            lambda context: training_batches(
                records, config.training, 0, context=context
            ).repeat()
        )
        self.batches = iter(batches)
        self.step(self.batches)

    def sample(self) -> tuple[float, float]:
        """(rows per second, fraction of the time spent waiting for a batch)."""
        for _ in range(min(self.steps, PREFETCHED)):
            self.step(self.batches)[0].numpy()
        start = time.perf_counter()
        results = [self.step(self.batches) for _ in range(self.steps)]
        rows = sum(int(tokens) for tokens, _ in results)
        waited = sum(float(wait) for _, wait in results)
        took = time.perf_counter() - start
        return rows / took, waited / took


def timed_step(train_step):
    """Wraps a training step: the iterator -> (target tokens, seconds of waiting).

    The clock is read in the graph, before and after the batch is there.
    """

    @tf.function
    def step(batches):
        start = tf.timestamp()
        with tf.control_dependencies([start]):
            batch = next(batches)
        arrived = tf.nest.flatten(batch, expand_composites=True)
        with tf.control_dependencies(arrived):
            waited = tf.timestamp() - start
        with tf.control_dependencies([waited]):
            result = train_step.python_function(iter([batch]))
        return StepResult(*tf.unstack(result)).tokens, waited

    return step


class NotebookTraining:
    """Rows per second of the generator feeding `train_on_batch`."""

    def __init__(self, records: RecordSet, steps: int):
        self.records, self.steps = records, steps
        model = experiment("prefix", 1).model
        self.model = baselines.notebook_model(records, model)
        photos = baselines.PHOTOS_A_BATCH * (steps + 1)
        self.held = baselines.load(records, photos)

    def sample(self) -> float:
        """The first batch is trained on but not timed."""
        batches = baselines.generator(*self.held, *lookup(self.records))
        self.model.train_on_batch(*next(batches))
        return row_rate(self.trained(islice(batches, self.steps)))

    def trained(self, batches: Iterable):
        for batch in batches:
            self.model.train_on_batch(*batch)
            yield batch
