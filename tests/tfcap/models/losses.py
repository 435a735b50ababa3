"""Losses and gradients of a batch, by each of the ways that compute them."""

import tensorflow as tf

from tfcap.ops.dispatch import kernels_for
from tfcap.ops.packed_tokens import PackedTokens
from tfcap.training.objectives import token_losses

BATCH = {
    "photo": tf.TensorSpec([None], tf.int32),
    "prefix": tf.TensorSpec([None, None], tf.int32),
}


def losses_and_gradients(model, batch, seed=None, padded=False, native=False):
    """Float32 arrays: the losses, of padding too if `padded`; a gradient a variable.

    Args:
        padded: sizes are known when the function is traced.
        native: by our own operations.
    """
    variables = [v.value for v in model.trainable_variables]
    rank = batch["target"].shape.rank
    signature = {
        "features": tf.TensorSpec([None, *batch["features"].shape[1:]]),
        "target": tf.TensorSpec([None] * rank, tf.int32),
        **BATCH,
    }

    @tf.function(autograph=False, input_signature=None if padded else [signature])
    def compute(batch):
        with kernels_for("CPU" if native else None), tf.GradientTape() as tape:
            losses = token_losses(model, batch, 0.1, seed)
            total = tf.reduce_sum(losses)
        gradients = tape.gradient(total, variables)
        return losses, [tf.convert_to_tensor(g) for g in gradients]

    losses, gradients = compute({name: batch[name] for name in signature})
    return losses.numpy(), [gradient.numpy() for gradient in gradients]


def read(model, context, tokens):
    """Hidden values of each position, [rows, length, h]."""
    text = PackedTokens.with_padding(tf.convert_to_tensor(tokens))
    return text.unpack(model.read(context, text))
