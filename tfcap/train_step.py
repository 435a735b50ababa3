"""Loss and update of one global batch, on any number of replicas."""

from typing import NamedTuple

import keras
import tensorflow as tf

from records.vocabulary import PAD_ID
from tfcap.config import TrainingConfig
from tfcap.input_pipeline import Batch
from tfcap.models.base import Captioner

fold_in = tf.random.experimental.stateless_fold_in

# Where rows are cut into groups of like length, by the rank of their target: prefixes
# (1) are of all lengths from one token on, captions (2) mostly of 8 to 14.
LENGTH_BOUNDS = {1: (4, 8, 14), 2: (13,)}
ROW_PARTS = ("photo", "prefix", "target")


class StepResult(NamedTuple):
    """Of one global batch: summed loss, target tokens, gradient norm (float32 [])."""

    loss: tf.Tensor
    tokens: tf.Tensor
    gradient_norm: tf.Tensor


def token_losses(
    model: Captioner, batch: Batch, label_smoothing: float, seed: tf.Tensor | None
) -> tf.Tensor:
    """Cross-entropy of each real target token, float32 [tokens], either expansion.

    Rows are read in groups of like length, so that a short one is not padded to the
    longest of the batch; the batch as a whole stays what it was. Losses come group by
    group.
    """
    context = model.encode(batch["features"], seed)
    lengths = tf.math.count_nonzero(batch["prefix"], 1, dtype=tf.int32)
    bounds = LENGTH_BOUNDS[batch["target"].shape.rank]
    losses = []
    for group, (above, up_to) in enumerate(zip((0, *bounds), (*bounds, None))):
        here = (lengths > above) & (lengths <= (up_to or tf.int32.max))
        rows = {k: tf.boolean_mask(batch[k], here) for k in ROW_PARTS}
        rows["prefix"] = rows["prefix"][:, :up_to]
        own = seed if seed is None else fold_in(seed, group)
        losses.append(row_losses(model, context, rows, label_smoothing, own))
    return tf.concat(losses, 0)


def row_losses(
    model: Captioner,
    context: tf.Tensor,
    rows: Batch,
    label_smoothing: float,
    seed: tf.Tensor | None,
) -> tf.Tensor:
    """Cross-entropy of the rows' targets, float32 [tokens].

    Only positions with a target go through the output layer: of a prefix its last one,
    of a causal row all up to `<end>`.
    """
    prefix, target = rows["prefix"], rows["target"]
    hidden = model.read(tf.gather(context, rows["photo"]), prefix, seed)
    if target.shape.rank == 1:
        last = tf.math.count_nonzero(prefix, 1) - 1
        positions = tf.stack([tf.range(tf.size(last, tf.int64)), last], 1)
    else:
        positions = tf.where(target != PAD_ID)
        target = tf.gather_nd(target, positions)
    photo = tf.gather(rows["photo"], positions[:, 0])
    logits = model.predict_token(
        tf.gather(context, photo), tf.gather_nd(hidden, positions), seed
    )
    return smoothed_cross_entropy(logits, target, label_smoothing)


def smoothed_cross_entropy(
    logits: tf.Tensor, target: tf.Tensor, smoothing: float
) -> tf.Tensor:
    """Cross-entropy against the target mixed with the uniform distribution.

    Source: Szegedy et al., "Rethinking the Inception Architecture", 2016, section 7.
    Computed from the logits, so that no one-hot [tokens, vocabulary] is made.
    """
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(target, logits)
    if not smoothing:
        return losses
    uniform = tf.reduce_logsumexp(logits, -1) - tf.reduce_mean(logits, -1)
    return (1 - smoothing) * losses + smoothing * uniform


def make_train_step(
    strategy: tf.distribute.Strategy,
    model: Captioner,
    optimizer: keras.optimizers.Optimizer,
    config: TrainingConfig,
):
    """Returns the compiled function that takes the next global batch of an iterator.

    It is traced once: an iterator's batches all have the same partly known shape.

    The loss is the mean over all target tokens of the global batch, wherever they are:
    it does not depend on how many replicas there are.
    """
    # Folded with the step below, so that a resumed run draws the same dropout.
    base = tf.constant([config.seed, 0], tf.int32)

    def replica_step(batch: Batch) -> StepResult:
        replica = tf.distribute.get_replica_context()
        seed = fold_in(base, optimizer.iterations)
        seed = fold_in(seed, replica.replica_id_in_sync_group)
        with tf.GradientTape() as tape:
            losses = token_losses(model, batch, config.label_smoothing, seed)
            loss, tokens = tf.reduce_sum(losses), tf.size(losses, tf.int64)
            tokens = replica.all_reduce("sum", tokens)
            mean = loss / tf.cast(tokens, tf.float32)
        variables = [variable.value for variable in model.trainable_variables]
        # Dense: the norm of IndexedSlices would miss words that occur twice.
        gradients = [tf.convert_to_tensor(g) for g in tape.gradient(mean, variables)]
        gradients = replica.all_reduce("sum", gradients)
        norm = tf.linalg.global_norm(gradients)
        if config.clip_norm:
            gradients, _ = tf.clip_by_global_norm(gradients, config.clip_norm, norm)
        # The optimizer sums over the replicas once more; clipping had to come after
        # a sum of our own.
        shares = [g / replica.num_replicas_in_sync for g in gradients]
        optimizer.apply(shares, model.trainable_variables)
        return StepResult(replica.all_reduce("sum", loss), tokens, norm)

    @tf.function
    def step(batches) -> StepResult:
        result = strategy.run(replica_step, [next(batches)])
        # Every replica returns the sums over all of them.
        return tf.nest.map_structure(
            lambda value: strategy.experimental_local_results(value)[0], result
        )

    return step


def make_score_step(strategy: tf.distribute.Strategy, model: Captioner):
    """Returns the compiled function that scores an iterator's next global batch.

    It gives the summed loss and the number of target tokens.
    """

    def replica_step(batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        losses = token_losses(model, batch, 0.0, None)
        return tf.reduce_sum(losses), tf.size(losses, tf.int64)

    @tf.function
    def step(batches) -> tuple[tf.Tensor, tf.Tensor]:
        loss, tokens = strategy.run(replica_step, [next(batches)])
        sum_ = tf.distribute.ReduceOp.SUM
        return strategy.reduce(sum_, loss, None), strategy.reduce(sum_, tokens, None)

    return step
