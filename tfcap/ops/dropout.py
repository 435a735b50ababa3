"""Dropout as a function of seed, step and place in the global batch.

A run drops the same values on one replica and on several; see `tfcap.ops.random`.
"""

from types import ModuleType

import tensorflow as tf

from tfcap.ops.dispatch import native_ops
from tfcap.ops.random import Seeds, fold_in, hashed


def dropout(values: tf.Tensor, rate: float, seeds: Seeds, site: int) -> tf.Tensor:
    """Sets random values to zero and scales up the others.

    A row's mask does not depend on how far axis 1 is padded.

    Args:
        values: [n, ...].
        rate: fraction that is dropped, rounded to 16 bits.
        seeds: int32 [n]; None drops nothing.
        site: a number that differs for each place in a model.
    """
    if seeds is None or rate == 0:
        return values
    native = native_ops(values)
    if native:
        return dropout_native(native, values, rate, fold_in(seeds, site))
    shape = tf.shape(values)
    size = tf.reduce_prod(shape[1:])
    words = (size + 1) // 2  # a hash gives two numbers of 16 bits
    bits = hashed(fold_in(seeds, site)[:, tf.newaxis], tf.range(words))
    halves = tf.reshape(tf.bitcast(bits, tf.uint16), [shape[0], 2 * words])
    threshold = tf.constant(round(rate * 2**16), tf.uint16)
    kept = tf.reshape(halves[:, :size], shape) >= threshold
    return tf.where(kept, values * (1 / (1 - rate)), tf.zeros([], values.dtype))


def dropout_native(
    native: ModuleType, values: tf.Tensor, rate: float, seeds: tf.Tensor
) -> tf.Tensor:
    """Calls the native operation, which keeps no mask for the gradient."""

    def drop(values: tf.Tensor) -> tf.Tensor:
        threshold, scale = round(rate * 2**16), 1 / (1 - rate)
        return native.tfcap_dropout(values, seeds, threshold=threshold, scale=scale)

    return tf.custom_gradient(lambda values: (drop(values), drop))(values)
