"""Dropout as a function of what is dropped: seed, step, and place in the global batch.

TensorFlow's stateless random numbers are a function of seed and shape, so that a row
would lose other values on a replica of its own than in the whole batch. Here each photo
and each row has a seed of its own, int32, and its numbers are hashes of that: a run on
one replica and on several drop the same, however rows are grouped, cut or padded.

The hash is the finalizer of MurmurHash3 (Appleby 2011); over TensorFlow's Philox it
takes a third of the time.
"""

from types import ModuleType

import tensorflow as tf

from tfcap.ops.dispatch import native_ops

GOLDEN = 0x9E3779B1  # spreads small numbers over all bits


def first_seed(seed: int) -> tf.Tensor:
    """int32 scalar, of any Python integer."""
    return tf.bitcast(tf.constant(seed % 2**32, tf.uint32), tf.int32)


def fold_in(seeds: tf.Tensor, numbers: tf.Tensor | int) -> tf.Tensor:
    """A seed for each pair, int32 of the shape that both broadcast to."""
    return tf.bitcast(hashed(seeds, numbers), tf.int32)


def row_seeds(seeds: tf.Tensor, photo: tf.Tensor) -> tf.Tensor:
    """Seeds of rows, of their photo's and their number among its rows, int32 [rows].

    Args:
        seeds: int32 [photos].
        photo: of each row, int32 [rows]; a photo's rows in their order.
    """
    row = tf.range(tf.size(photo))
    # Not by sorting: photo 0 has the padding of static shapes, too.
    first = tf.math.unsorted_segment_min(row, photo, tf.size(seeds))
    return fold_in(tf.gather(seeds, photo), row - tf.gather(first, photo))


def place_seeds(seeds: tf.Tensor | None, places: tf.Tensor) -> tf.Tensor | None:
    """Seeds of places (row, position), integers [n, 2], by those of rows: int32 [n]."""
    if seeds is None:
        return None
    row, position = tf.unstack(places, axis=1)
    return fold_in(tf.gather(seeds, row), tf.cast(position, tf.int32))


def uniform(seeds: tf.Tensor) -> tf.Tensor:
    """A number from [0, 1) for each seed, float32."""
    bits = tf.bitwise.right_shift(hashed(seeds, 0), uint32(8))
    return tf.cast(tf.bitcast(bits, tf.int32), tf.float32) * 2.0**-24


def dropout(
    values: tf.Tensor, rate: float, seeds: tf.Tensor | None, site: int
) -> tf.Tensor:
    """Drops values [n, ...] by seeds int32 [n]; None drops nothing.

    What stays is scaled up. Rates are rounded to 16 bits. A row's mask does not depend
    on how far axis 1 is padded.

    Args:
        site: one for each place in a model.
    """
    if seeds is None or rate == 0:
        return values
    own = native_ops(values)
    if own:
        return dropout_in_cpp(own, values, rate, fold_in(seeds, site))
    shape = tf.shape(values)
    size = tf.reduce_prod(shape[1:])
    words = (size + 1) // 2  # each of two numbers
    bits = hashed(fold_in(seeds, site)[:, tf.newaxis], tf.range(words))
    halves = tf.reshape(tf.bitcast(bits, tf.uint16), [shape[0], 2 * words])
    kept = tf.reshape(halves[:, :size], shape) >= tf.constant(
        round(rate * 2**16), tf.uint16
    )
    return tf.where(kept, values * (1 / (1 - rate)), tf.zeros([], values.dtype))


def dropout_in_cpp(
    own: ModuleType, values: tf.Tensor, rate: float, seeds: tf.Tensor
) -> tf.Tensor:
    """The same by one operation of our own, which holds no mask for the gradient."""

    def drop(values):
        threshold, scale = round(rate * 2**16), 1 / (1 - rate)
        return own.tfcap_dropout(values, seeds, threshold=threshold, scale=scale)

    return tf.custom_gradient(lambda values: (drop(values), drop))(values)


def hashed(seeds: tf.Tensor, numbers: tf.Tensor | int) -> tf.Tensor:
    """uint32 of the shape that both int32 broadcast to."""
    spread = tf.bitcast(tf.convert_to_tensor(numbers) + 1, tf.uint32) * uint32(GOLDEN)
    bits = tf.bitwise.bitwise_xor(tf.bitcast(seeds, tf.uint32), spread)
    bits = folded(bits, 16) * uint32(0x85EBCA6B)
    bits = folded(bits, 13) * uint32(0xC2B2AE35)
    return folded(bits, 16)


def folded(bits: tf.Tensor, shift: int) -> tf.Tensor:
    upper = tf.bitwise.right_shift(bits, uint32(shift))
    return tf.bitwise.bitwise_xor(bits, upper)


def uint32(value: int) -> tf.Tensor:
    return tf.constant(value, tf.uint32)
