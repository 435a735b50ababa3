"""Cross-entropy with label smoothing, from logits, in few passes over them.

The logits of a step are its largest tensor (tokens x vocabulary). On a CPU TensorFlow's
own operation takes one thread and several passes over them: with 3,800 tokens and
2,500 words as long as the multiplication that makes them. Here one softmax gives both
the loss and its gradient.
"""

from types import ModuleType

import tensorflow as tf

from tfcap.ops.dispatch import native_ops


def smoothed_cross_entropy(
    logits: tf.Tensor, target: tf.Tensor, smoothing: float
) -> tf.Tensor:
    """Cross-entropy against the target mixed with the uniform distribution.

    Source: Szegedy et al., "Rethinking the Inception Architecture", 2016, section 7.

    Args:
        logits: float32 [tokens, vocabulary].
        target: int32 [tokens].
        smoothing: weight of the uniform distribution.

    Returns:
        float32 [tokens]. Its gradient is `softmax(logits)` less the distribution aimed
        at; a gradient of that gradient is not defined.
    """
    own = native_ops(logits)
    if own:
        return losses_in_cpp(own, logits, target, smoothing)
    vocabulary = tf.cast(tf.shape(logits)[1], logits.dtype)

    @tf.custom_gradient
    def losses(logits):
        probabilities = tf.nn.softmax(logits)
        # The likeliest token has a probability of 1 / vocabulary at least: unlike the
        # target's, it cannot vanish.
        log_sum = tf.reduce_max(logits, 1) - tf.math.log(
            tf.reduce_max(probabilities, 1)
        )
        aimed_at = (1 - smoothing) * tf.gather(logits, target, batch_dims=1)
        if smoothing:
            aimed_at += smoothing * tf.reduce_mean(logits, 1)

        def gradient(upstream):
            excess = (
                probabilities - smoothing / vocabulary if smoothing else probabilities
            )
            places = tf.stack([tf.range(tf.size(target)), target], 1)
            return tf.tensor_scatter_nd_sub(
                excess * upstream[:, None], places, (1 - smoothing) * upstream
            )

        return log_sum - aimed_at, gradient

    return losses(logits)


def losses_in_cpp(
    own: ModuleType, logits: tf.Tensor, target: tf.Tensor, smoothing: float
) -> tf.Tensor:
    """The same by one operation of our own."""

    @tf.custom_gradient
    def losses(logits):
        found, excess = own.tfcap_cross_entropy(logits, target, smoothing=smoothing)
        return found, lambda upstream: excess * upstream[:, tf.newaxis]

    return losses(logits)
