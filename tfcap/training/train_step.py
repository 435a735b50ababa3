"""The training step: one update by one global batch, on any number of replicas."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite

import tensorflow as tf

from tfcap.config.training import TrainingConfig
from tfcap.data.pipeline import Batch
from tfcap.models.base import CaptioningModel
from tfcap.ops.dispatch import device_of, kernels_for
from tfcap.ops.random import first_seed, fold_in
from tfcap.training.gradients import GradientComputer, with_features
from tfcap.training.objectives import CrossEntropy, Objective, count_targets
from tfcap.training.vectors import Vectors


@dataclass(frozen=True)
class StepResult:
    """The result of one global batch.

    Attributes:
        loss: sum of the losses that the objective counts.
        count: number of these losses.
        tokens: number of target tokens.
        gradient_norm: global norm before clipping.
        loss_scale: factor of the loss; 1 except in mixed_float16.
        input_wait: time until the batch arrived, in seconds.
    """

    loss: float
    count: float
    tokens: float
    gradient_norm: float
    loss_scale: float
    input_wait: float

    @classmethod
    def fetch(cls, steps: Sequence[tf.Tensor]) -> list["StepResult"]:
        """Copies the results of steps from the device, all at once; waits for them."""
        return [cls(*values) for values in tf.stack(steps).numpy()] if steps else []

    def is_good(self) -> bool:
        """Returns whether loss and gradient are finite, or the update was left out."""
        left_out = self.loss_scale > 1
        return isfinite(self.loss) and (left_out or isfinite(self.gradient_norm))


def make_train_step(
    strategy: tf.distribute.Strategy,
    model: CaptioningModel,
    vectors: Vectors,
    config: TrainingConfig,
    objective: Objective | None = None,
) -> Callable[[Iterator], tf.Tensor]:
    """Returns the compiled function that trains on an iterator's next global batch.

    That function returns the values of a `StepResult`, float32 [6], and leaves them on
    the device.

    It is traced once: an iterator's batches all have the same partly known shape. XLA
    compiles it once for each size of a batch (`tfcap.data.padding`).

    The loss is the mean over all that the objective counts in the global batch. It does
    not depend on the number of replicas, nor on the parts that a batch is cut into.

    Callers must check the result (`StepResult.is_good`) for non-finite values; checking
    here would wait for the device at every step. Only a scaled loss may overflow, and
    such a step changes no weight.

    Args:
        strategy: where the replicas run; the model was made in its scope.
        model: the model that is trained.
        vectors: its weights, their optimizer and average.
        config: of the run.
        objective: None for cross-entropy.
    """
    objective = objective or CrossEntropy(config.label_smoothing)
    device, base = kernels_of(strategy, config), first_seed(config.seed)
    compute = GradientComputer(model, vectors, objective, config, device)

    def replica_step(batch: Batch) -> tf.Tensor:
        replica = tf.distribute.get_replica_context()
        updates = tf.convert_to_tensor(vectors.optimizer.iterations.value)
        # Folded with the step, so that a resumed run draws the same dropout.
        seed = fold_in(base, tf.cast(updates, tf.int32))
        batch = {**batch, "seed": photo_seeds(batch, seed, config.global_batch)}
        counts = tf.stack([objective.count(batch), count_targets(batch)])
        counts = replica.all_reduce("sum", counts)
        sums = replica.all_reduce("sum", compute(batch, counts[0]))
        norm, scale = apply_update(vectors, sums[1], updates, config.clip_norm)
        return tf.stack(
            [sums[0], *tf.unstack(tf.cast(counts, tf.float32)), norm, scale]
        )

    # Several replicas exchange gradients in between, which XLA compiles alone then.
    if config.jit_compile and strategy.num_replicas_in_sync == 1:
        replica_step = tf.function(replica_step, jit_compile=True)

    @tf.function
    def step(batches: Iterator) -> tf.Tensor:
        batch, waited = next_and_wait(batches)
        result = strategy.run(replica_step, [batch])
        # Every replica returns the sums over all of them.
        first = strategy.experimental_local_results(result)[0]
        return tf.concat([first, [tf.cast(waited, tf.float32)]], 0)

    return step


def photo_seeds(batch: Batch, seed: tf.Tensor, global_batch: int) -> tf.Tensor:
    """Returns a seed for each photo of a replica's batch, int32 [photos].

    It depends on the photo's place in the global batch: several replicas drop the same
    values as one.

    Args:
        batch: of this replica.
        seed: of the step, int32 scalar.
        global_batch: photos of all replicas.
    """
    replica = tf.distribute.get_replica_context()
    share = global_batch // replica.num_replicas_in_sync
    photos = batch["pixels"] if "pixels" in batch else batch["features"]
    place = tf.range(tf.shape(photos)[0])
    place += tf.cast(replica.replica_id_in_sync_group, tf.int32) * share
    return fold_in(seed, place)


def apply_update(
    vectors: Vectors,
    gradients: list[tf.Tensor],
    since: tf.Tensor,
    clip_norm: float | None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Updates weights and average by the sum of all replicas' gradients.

    Gradients are summed before their norm is taken, since a norm of parts is not that
    of their sum. The optimizer divides them by the loss scale, and leaves out the
    update where they are not finite.

    Args:
        vectors: the weights, their optimizer and average.
        gradients: of the global mean, times the loss scale.
        since: number of updates before this one.
        clip_norm: largest global norm; None for any.

    Returns:
        The global norm before clipping, and the loss scale; float32 scalars.
    """
    scale = vectors.optimizer.scale_loss(tf.constant(1.0))
    norm = tf.linalg.global_norm(gradients) / scale
    if clip_norm:
        gradients, _ = tf.clip_by_global_norm(gradients, clip_norm, norm)
    vectors.update(gradients, since)
    return norm, scale


def next_and_wait(batches: Iterator) -> tuple[Batch, tf.Tensor]:
    """Returns the next batch, and the seconds until all of it had arrived."""
    start = tf.timestamp()
    with tf.control_dependencies([start]):
        batch = next(batches)
    with tf.control_dependencies(tf.nest.flatten(batch, expand_composites=True)):
        return batch, tf.timestamp() - start


def kernels_of(strategy: tf.distribute.Strategy, config: TrainingConfig) -> str | None:
    """Returns what a run's steps are traced for, as `kernels_for` takes it."""
    if config.jit_compile:
        return "XLA"
    device = device_of(strategy)
    return None if device == "CPU" and config.native_ops is False else device


def make_score_step(
    strategy: tf.distribute.Strategy,
    model: CaptioningModel,
    config: TrainingConfig,
    objective: Objective | None = None,
) -> Callable[[Iterator], tuple[tf.Tensor, tf.Tensor]]:
    """Returns the compiled function that scores an iterator's next global batch.

    That function returns the summed loss and the number that divides it for the mean.

    Args:
        strategy: where the replicas run.
        model: the model that is scored.
        config: of the run.
        objective: None for cross-entropy.
    """
    objective = objective or CrossEntropy()
    device = kernels_of(strategy, config)

    def replica_step(batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        batch = with_features(model, batch, False)
        with kernels_for(device):
            losses = objective.losses(model, batch, None)
        return tf.reduce_sum(losses), objective.count(batch)

    @tf.function
    def step(batches: Iterator) -> tuple[tf.Tensor, tf.Tensor]:
        loss, count = strategy.run(replica_step, [next(batches)])
        sum_ = tf.distribute.ReduceOp.SUM
        return strategy.reduce(sum_, loss, None), strategy.reduce(sum_, count, None)

    return step
