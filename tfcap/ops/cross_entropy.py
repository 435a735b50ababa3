"""Cross-entropy with label smoothing, from logits, in few passes over them.

The logits of a step are its largest tensor (tokens x vocabulary). TensorFlow's own
operation runs on one CPU thread and passes over them several times: with 3,800 tokens
and a vocabulary of 2,500 that takes as long as the multiplication that makes them. Here
one softmax gives both the loss and its gradient.
"""

from collections.abc import Callable
from types import ModuleType

import tensorflow as tf

from tfcap.ops.dispatch import native_ops


def smoothed_cross_entropy(
    logits: tf.Tensor, target: tf.Tensor, smoothing: float
) -> tf.Tensor:
    """Computes cross-entropy against a mixture of target and uniform distribution.

    Its gradient is `softmax(logits)` minus that mixture. It has no second derivative.

    Source: Szegedy et al., "Rethinking the Inception Architecture", 2016, section 7.

    Args:
        logits: float32 [tokens, vocabulary].
        target: int32 [tokens].
        smoothing: weight of the uniform distribution.

    Returns:
        float32 [tokens].
    """
    native = native_ops(logits)
    if native:
        return cross_entropy_native(native, logits, target, smoothing)
    vocabulary = tf.cast(tf.shape(logits)[1], logits.dtype)

    @tf.custom_gradient
    def losses(logits: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        probabilities = tf.nn.softmax(logits)
        # The likeliest token has a probability of 1 / vocabulary at least: unlike the
        # target's, it cannot vanish.
        log_sum = tf.reduce_max(logits, 1) - tf.math.log(
            tf.reduce_max(probabilities, 1)
        )
        expected = (1 - smoothing) * tf.gather(logits, target, batch_dims=1)
        if smoothing:
            expected += smoothing * tf.reduce_mean(logits, 1)

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            excess = (
                probabilities - smoothing / vocabulary if smoothing else probabilities
            )
            places = tf.stack([tf.range(tf.size(target)), target], 1)
            return tf.tensor_scatter_nd_sub(
                excess * upstream[:, None], places, (1 - smoothing) * upstream
            )

        return log_sum - expected, gradient

    return losses(logits)


def cross_entropy_native(
    native: ModuleType, logits: tf.Tensor, target: tf.Tensor, smoothing: float
) -> tf.Tensor:
    """Calls the native operation, which gives the losses and their gradient."""

    @tf.custom_gradient
    def losses(logits: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        values, excess = native.tfcap_cross_entropy(logits, target, smoothing=smoothing)
        return values, lambda upstream: excess * upstream[:, tf.newaxis]

    return losses(logits)
