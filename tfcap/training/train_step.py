"""Loss and update of one global batch, on any number of replicas."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple, Protocol

import keras
import tensorflow as tf

from records.text.vocabulary import PAD_ID
from tfcap.config.training import TrainingConfig
from tfcap.data.padding import never_empty
from tfcap.data.pipeline import Batch
from tfcap.models.base import CaptioningModel, take
from tfcap.models.layers.packed_tokens import PackedTokens
from tfcap.ops.cross_entropy import smoothed_cross_entropy
from tfcap.ops.dispatch import device_of, kernels_for
from tfcap.ops.random import first_seed, fold_in, row_seeds
from tfcap.training.weight_average import WeightAverage

ROW_PARTS = ("photo", "prefix", "target")  # what else a batch has is of each photo


class StepResult(NamedTuple):
    """Of one global batch; each a scalar.

    Attributes:
        loss: summed over what the objective counts, float32.
        count: how many of these there are, int64.
        tokens: how many target tokens there are, int64.
        gradient_norm: before clipping, float32.
        loss_scale: what the loss was multiplied by; 1 but in mixed_float16, float32.
        input_wait: seconds until the batch was there, float64.
    """

    loss: tf.Tensor
    count: tf.Tensor
    tokens: tf.Tensor
    gradient_norm: tf.Tensor
    loss_scale: tf.Tensor
    input_wait: tf.Tensor

    def is_good(self) -> bool:
        """Whether the update was sound: finite, or left out as a scaled loss may be."""
        left_out = self.loss_scale > 1
        return isfinite(self.loss) and (left_out or isfinite(self.gradient_norm))


class Objective(Protocol):
    """A sum of losses, and what the mean of the global batch is taken over."""

    def losses(
        self, model: CaptioningModel, batch: Batch, seed: tf.Tensor | None
    ) -> tf.Tensor:
        """Returns losses whose sum is that of the batch, float32 [n].

        Args:
            seed: of each photo's random numbers, int32 [photos]; None in scoring.
        """

    def count(self, batch: Batch) -> tf.Tensor:
        """Returns how many losses count, int64."""


@dataclass(frozen=True)
class CrossEntropy:
    """Cross-entropy, of which the mean is over the target tokens."""

    label_smoothing: float = 0.0

    def losses(
        self, model: CaptioningModel, batch: Batch, seed: tf.Tensor | None
    ) -> tf.Tensor:
        return token_losses(model, batch, self.label_smoothing, seed)

    def count(self, batch: Batch) -> tf.Tensor:
        return count_targets(batch)


def token_losses(
    model: CaptioningModel, batch: Batch, label_smoothing: float, seed: tf.Tensor | None
) -> tf.Tensor:
    """Cross-entropy of each target token, float32 [tokens], either expansion.

    Only words with a target go through the output layer: of a prefix its last one, of
    a causal row all up to `<end>`. Batches of one size have padding, of loss 0.

    Args:
        seed: of each photo's dropout, int32 [photos]; None for none.
    """
    context = model.encode(batch["features"], seed)
    text, target = PackedTokens.of(batch["prefix"]), batch["target"]
    rows = None if seed is None else row_seeds(seed, batch["photo"])
    hidden = model.read(take(context, batch["photo"]), text, rows)
    seeds = text.seeds(rows)
    if target.shape.rank == 1:
        hidden = tf.gather(hidden, text.last)
        seeds = None if seeds is None else tf.gather(seeds, text.last)
    else:
        target = text.pack(target)
    logits = model.predict_token(hidden, seeds)
    losses = smoothed_cross_entropy(logits, target, label_smoothing)
    return tf.where(target != PAD_ID, losses, 0.0)


def with_features(model: CaptioningModel, batch: Batch, training: bool) -> Batch:
    """The batch with features, made of its pixels where the encoder is trained."""
    if model.encoder is None:
        return batch
    rest = {name: values for name, values in batch.items() if name != "pixels"}
    encode = model.encoder.of_view if training else model.encoder.of_photos
    return {"features": encode(batch["pixels"]), **rest}


def make_train_step(
    strategy: tf.distribute.Strategy,
    model: CaptioningModel,
    optimizer: keras.optimizers.Optimizer,
    config: TrainingConfig,
    average: WeightAverage | None = None,
    objective: Objective | None = None,
):
    """Returns the compiled function that takes the next global batch of an iterator.

    It is traced once: an iterator's batches all have the same partly known shape.

    Args:
        objective: None for cross-entropy.

    The loss is the mean over all that the objective counts in the global batch,
    wherever it is: it does not depend on how many replicas there are, nor on the parts
    that a batch is cut into. A step whose loss or gradient is not finite is for the
    caller to find, in the result: to look here would make every step wait for its own
    end. Only a scaled loss may overflow, and such a step leaves everything as it was.
    """
    # Folded with the step below, so that a resumed run draws the same dropout.
    base = first_seed(config.seed)
    objective = objective or CrossEntropy(config.label_smoothing)
    device = None if config.jit_compile else device_of(strategy)

    def differentiate(batch: Batch, count: tf.Tensor):
        """Summed loss of these rows, and their share of the mean's scaled gradient."""
        with kernels_for(device), tf.GradientTape() as tape:
            seen = with_features(model, batch, True)
            loss = tf.reduce_sum(objective.losses(model, seen, batch["seed"]))
            mean = optimizer.scale_loss(loss / tf.cast(count, tf.float32))
        variables = [variable.value for variable in model.trainable_variables]
        # Dense: the norm of IndexedSlices would miss words that occur twice.
        return loss, [tf.convert_to_tensor(g) for g in tape.gradient(mean, variables)]

    if config.jit_compile:
        differentiate = tf.function(differentiate, jit_compile=True)

    def replica_step(batch: Batch) -> tuple[tf.Tensor, ...]:
        replica = tf.distribute.get_replica_context()
        # By place in the global batch: replicas drop what one would.
        share = config.global_batch // replica.num_replicas_in_sync
        photos = batch["features"] if model.encoder is None else batch["pixels"]
        place = tf.range(tf.shape(photos)[0])
        place += tf.cast(replica.replica_id_in_sync_group, tf.int32) * share
        updates = tf.convert_to_tensor(optimizer.iterations.value)
        seed = fold_in(base, tf.cast(updates, tf.int32))
        batch = {**batch, "seed": fold_in(seed, place)}
        counts = objective.count(batch), count_targets(batch)
        count, tokens = replica.all_reduce("sum", counts)
        if config.accumulate == 1:
            loss, gradients = differentiate(batch, count)
        else:
            loss, gradients = sum_over_parts(
                lambda part: differentiate(part, count),
                batch,
                config.accumulate,
                model.trainable_variables,
            )
        scale = optimizer.scale_loss(tf.constant(1.0))
        gradients = [g / scale for g in replica.all_reduce("sum", gradients)]
        norm = tf.linalg.global_norm(gradients)
        if config.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, config.clip_norm, norm)
        # The optimizer takes the scale away.
        optimizer.apply([g * scale for g in gradients], model.trainable_variables)
        if average:
            values = [variable.value for variable in model.trainable_variables]
            average.update(values, optimizer.iterations, since=updates)
        return replica.all_reduce("sum", loss), count, tokens, norm, scale

    @tf.function
    def step(batches) -> StepResult:
        batch, waited = next_and_wait(batches)
        # Every replica returns the sums over all of them.
        results = [
            strategy.experimental_local_results(result)[0]
            for result in strategy.run(replica_step, [batch])
        ]
        return StepResult(*results, waited)

    return step


def next_and_wait(batches) -> tuple[Batch, tf.Tensor]:
    """The next batch, and the seconds until all of it was there; in a graph."""
    start = tf.timestamp()
    with tf.control_dependencies([start]):
        batch = next(batches)
    with tf.control_dependencies(tf.nest.flatten(batch, expand_composites=True)):
        return batch, tf.timestamp() - start


def sum_over_parts(
    differentiate: Callable[[Batch], tuple[tf.Tensor, list[tf.Tensor]]],
    batch: Batch,
    parts: int,
    variables: list[keras.Variable],
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """Adds up losses and gradients of a batch's parts, one part after another.

    A loop, not a row of copies: only one part's activations are held at a time.
    """

    def add(number, loss, gradients):
        more, steeper = differentiate(part_of(batch, number, parts))
        return number + 1, loss + more, [a + b for a, b in zip(gradients, steeper)]

    zeros = [tf.zeros(variable.shape) for variable in variables]
    _, loss, gradients = tf.while_loop(
        lambda number, *_: number < parts,
        add,
        (tf.constant(0), tf.constant(0.0), zeros),
        parallel_iterations=1,
    )
    return loss, gradients


def part_of(batch: Batch, number: tf.Tensor, parts: int) -> Batch:
    """Part `number`, from 0, of a batch cut by photo into parts of like size.

    A part that no photo is left for has one without a caption.
    """
    seen = {name: batch[name] for name in batch if name not in ROW_PARTS}
    photos = tf.size(batch["seed"])
    first, end = number * photos // parts, (number + 1) * photos // parts
    here = (batch["photo"] >= first) & (batch["photo"] < end)
    rows = {name: tf.boolean_mask(batch[name], here) for name in ROW_PARTS}
    rows["photo"] -= first
    return never_empty({**{name: seen[name][first:end] for name in seen}, **rows})


def count_targets(batch: Batch) -> tf.Tensor:
    """Returns the number of target tokens, int64."""
    return tf.math.count_nonzero(batch["target"] != PAD_ID)


def make_score_step(
    strategy: tf.distribute.Strategy,
    model: CaptioningModel,
    padded: bool = False,
    objective: Objective | None = None,
):
    """Returns the compiled function that scores an iterator's next global batch.

    It gives the summed loss and what its mean is taken over. Of `padded` batches, all
    of one size, it makes one compilation, as TPUs need.

    Args:
        objective: None for cross-entropy.
    """
    objective = objective or CrossEntropy()
    device = None if padded else device_of(strategy)

    def replica_step(batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        batch = with_features(model, batch, False)
        with kernels_for(device):
            losses = objective.losses(model, batch, None)
        return tf.reduce_sum(losses), objective.count(batch)

    @tf.function
    def step(batches) -> tuple[tf.Tensor, tf.Tensor]:
        loss, count = strategy.run(replica_step, [next(batches)])
        sum_ = tf.distribute.ReduceOp.SUM
        return strategy.reduce(sum_, loss, None), strategy.reduce(sum_, count, None)

    return step
