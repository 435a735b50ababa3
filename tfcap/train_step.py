"""Loss and update of one global batch, on any number of replicas."""

from collections.abc import Callable
from math import isfinite
from typing import NamedTuple

import keras
import tensorflow as tf

from records.vocabulary import PAD_ID
from tfcap.averaging import WeightAverage
from tfcap.config import TrainingConfig
from tfcap.cross_entropy import smoothed_cross_entropy
from tfcap.input_pipeline import Batch
from tfcap.models.base import Captioner, take
from tfcap.models.dropout import first_seed, fold_in, row_seeds
from tfcap.models.text import Text
from tfcap.step_operations import device_of, kernels_for

Losses = Callable[[Captioner, Batch, tf.Tensor | None], tf.Tensor]
ROW_PARTS = ("photo", "prefix", "target")  # what else a batch has is of each photo


class StepResult(NamedTuple):
    """Of one global batch; each a scalar.

    Attributes:
        loss: summed over the target tokens, float32.
        tokens: how many there are, int64.
        gradient_norm: before clipping, float32.
        loss_scale: what the loss was multiplied by; 1 but in mixed_float16, float32.
        input_wait: seconds until the batch was there, float64.
    """

    loss: tf.Tensor
    tokens: tf.Tensor
    gradient_norm: tf.Tensor
    loss_scale: tf.Tensor
    input_wait: tf.Tensor

    def is_good(self) -> bool:
        """Whether the update was sound: finite, or left out as a scaled loss may be."""
        left_out = self.loss_scale > 1
        return isfinite(self.loss) and (left_out or isfinite(self.gradient_norm))


def token_losses(
    model: Captioner, batch: Batch, label_smoothing: float, seed: tf.Tensor | None
) -> tf.Tensor:
    """Cross-entropy of each target token, float32 [tokens], either expansion.

    Only words with a target go through the output layer: of a prefix its last one, of
    a causal row all up to `<end>`. Batches of one size have padding, of loss 0.

    Args:
        seed: of each photo's dropout, int32 [photos]; None for none.
    """
    context = model.encode(batch["features"], seed)
    text, target = Text.of(batch["prefix"]), batch["target"]
    rows = None if seed is None else row_seeds(seed, batch["photo"])
    hidden = model.read(take(context, batch["photo"]), text, rows)
    seeds = text.seeds(rows)
    if target.shape.rank == 1:
        hidden = tf.gather(hidden, text.last)
        seeds = None if seeds is None else tf.gather(seeds, text.last)
    else:
        target = text.words(target)
    logits = model.predict_token(hidden, seeds)
    losses = smoothed_cross_entropy(logits, target, label_smoothing)
    return tf.where(target != PAD_ID, losses, 0.0)


def with_features(model: Captioner, batch: Batch, training: bool) -> Batch:
    """The batch with features, made of its pixels where the encoder is trained."""
    if model.encoder is None:
        return batch
    rest = {name: values for name, values in batch.items() if name != "pixels"}
    encode = model.encoder.of_view if training else model.encoder.of_photos
    pixels = batch["pixels"]
    features = encode(at_least_one(pixels))[: tf.shape(pixels)[0]]
    return {"features": features, **rest}


def at_least_one(pixels: tf.Tensor) -> tf.Tensor:
    """A black photo in the place of none.

    TensorFlow 2.21 fails on CPU at a convolution of no photo with batch norm behind it.
    """
    black = tf.zeros([1, *pixels.shape[1:]])
    return tf.cond(tf.shape(pixels)[0] > 0, lambda: pixels, lambda: black)


def make_train_step(
    strategy: tf.distribute.Strategy,
    model: Captioner,
    optimizer: keras.optimizers.Optimizer,
    config: TrainingConfig,
    average: WeightAverage | None = None,
    losses_of: Losses | None = None,
):
    """Returns the compiled function that takes the next global batch of an iterator.

    It is traced once: an iterator's batches all have the same partly known shape.

    Args:
        losses_of: what is summed up, of (model, batch, seed); None for `token_losses`.

    The loss is the mean over all target tokens of the global batch, wherever they are:
    it does not depend on how many replicas there are, nor on the parts that a batch is
    cut into. A step whose loss or gradient is not finite is for the caller to find, in
    the result: to look here would make every step wait for its own end. Only a scaled
    loss may overflow, and such a step leaves everything as it was.
    """
    # Folded with the step below, so that a resumed run draws the same dropout.
    base = first_seed(config.seed)
    losses_of = losses_of or cross_entropy(config.label_smoothing)
    device = None if config.jit_compile else device_of(strategy)

    def differentiate(batch: Batch, tokens: tf.Tensor):
        """Summed loss of these rows, and their share of the mean's scaled gradient."""
        with kernels_for(device), tf.GradientTape() as tape:
            seen = with_features(model, batch, True)
            losses = losses_of(model, seen, batch["seed"])
            loss = tf.reduce_sum(losses)
            mean = optimizer.scale_loss(loss / tf.cast(tokens, tf.float32))
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
        seed = fold_in(base, tf.cast(optimizer.iterations, tf.int32))
        batch = {**batch, "seed": fold_in(seed, place)}
        tokens = tf.math.count_nonzero(batch["target"] != PAD_ID)
        tokens = replica.all_reduce("sum", tokens)
        if config.accumulate == 1:
            loss, gradients = differentiate(batch, tokens)
        else:
            loss, gradients = sum_over_parts(
                lambda part: differentiate(part, tokens),
                batch,
                config.accumulate,
                model.trainable_variables,
            )
        scale = optimizer.scale_loss(tf.constant(1.0))
        gradients = [g / scale for g in replica.all_reduce("sum", gradients)]
        norm = tf.linalg.global_norm(gradients)
        if config.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, config.clip_norm, norm)
        # The optimizer sums over the replicas once more, and takes the scale away;
        # clipping had to come after a sum of our own.
        shares = [g * scale / replica.num_replicas_in_sync for g in gradients]
        optimizer.apply(shares, model.trainable_variables)
        if average:
            values = [variable.value for variable in model.trainable_variables]
            average.update(values, optimizer.iterations)
        return replica.all_reduce("sum", loss), tokens, norm, scale

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
    """Part `number`, from 0, of a batch cut by photo into parts of like size."""
    seen = {name: batch[name] for name in batch if name not in ROW_PARTS}
    photos = tf.size(batch["seed"])
    first, end = number * photos // parts, (number + 1) * photos // parts
    here = (batch["photo"] >= first) & (batch["photo"] < end)
    rows = {name: tf.boolean_mask(batch[name], here) for name in ROW_PARTS}
    rows["photo"] -= first
    return {**{name: seen[name][first:end] for name in seen}, **rows}


def cross_entropy(label_smoothing: float) -> Losses:
    return lambda model, batch, seed: token_losses(model, batch, label_smoothing, seed)


def count_targets(batch: Batch) -> tf.Tensor:
    return tf.math.count_nonzero(batch["target"])


def count_photos(batch: Batch) -> tf.Tensor:
    return tf.shape(batch["features"], tf.int64)[0]


def make_score_step(
    strategy: tf.distribute.Strategy,
    model: Captioner,
    padded: bool = False,
    losses_of: Losses | None = None,
):
    """Returns the compiled function that scores an iterator's next global batch.

    It gives the summed loss and the number of target tokens. Of `padded` batches, all
    of one size, it makes one compilation, as TPUs need.

    Args:
        losses_of: gives a loss for each photo; the number is then that of photos.
    """
    count = count_photos if losses_of else count_targets
    losses_of = losses_of or cross_entropy(0.0)
    device = None if padded else device_of(strategy)

    def replica_step(batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        batch = with_features(model, batch, False)
        with kernels_for(device):
            losses = losses_of(model, batch, None)
        return tf.reduce_sum(losses), count(batch)

    @tf.function
    def step(batches) -> tuple[tf.Tensor, tf.Tensor]:
        loss, tokens = strategy.run(replica_step, [next(batches)])
        sum_ = tf.distribute.ReduceOp.SUM
        return strategy.reduce(sum_, loss, None), strategy.reduce(sum_, tokens, None)

    return step
