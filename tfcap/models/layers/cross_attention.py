"""Attention of many rows over the cells of few photos.

Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.2. Rows about one
photo (its captions, their prefixes, the beams of a search) are put side by side, and
the photo's cells multiplied with all of them at once: a grid's keys and values are
there once a photo, never once a row.
"""

from types import ModuleType

import keras
import tensorflow as tf

from tfcap.ops.dispatch import native_ops

Projected = tuple[tf.Tensor, tf.Tensor]


class PhotoAttention(keras.layers.Layer):
    """Multi-head attention whose keys and values are a photo's cells."""

    def __init__(self, units: int, heads: int, name: str):
        super().__init__(name=name)
        self.units, self.heads = units, heads
        self.query = keras.layers.Dense(units, name="query")
        self.key = keras.layers.Dense(units, use_bias=False, name="key")
        self.value = keras.layers.Dense(units, name="value")

    def project(self, cells: tf.Tensor) -> Projected:
        """Cells [photos, cells, c] -> keys and values [photos, cells, units]."""
        return self.key(cells), self.value(cells)

    def call(self, text: tf.Tensor, photo: tf.Tensor, cells: Projected):
        """What each position sees, and the cells' shares in it.

        Args:
            text: [words, h], or of rows that are one word each.
            photo: int32 [words], the photo that each is about.
            cells: of `project`.

        Returns:
            [words, units]; and [words, cells], the mean over heads, or None where a
            training step has no use for it.
        """
        query, units = self.query(text), self.units
        own = native_ops(query)
        if own:
            count = tf.shape(cells[0])[1]
            begins = tf.range(tf.shape(cells[0])[0] + 1) * count
            flat = [tf.reshape(part, [-1, units]) for part in cells]
            return attend_in_cpp(own, query, *flat, photo, begins, self.heads), None
        keys, values = (self.by_head(part) for part in cells)
        photos = tf.shape(keys)[0]
        place, most = places(photo)
        queries = tf.scatter_nd(place, query, [photos, most, units])
        scores = tf.matmul(self.by_head(queries), keys, transpose_b=True)
        scale = (units // self.heads) ** -0.5
        shares = tf.nn.softmax(tf.cast(scores, tf.float32) * scale)
        seen = tf.matmul(tf.cast(shares, values.dtype), values)
        seen = tf.reshape(tf.transpose(seen, [0, 2, 1, 3]), [photos, most, units])
        shares = tf.reduce_mean(shares, 1)
        return tf.gather_nd(seen, place), tf.gather_nd(shares, place)

    def by_head(self, values: tf.Tensor) -> tf.Tensor:
        """[n, m, units] -> [n, heads, m, units of a head]."""
        n, m, _ = tf.unstack(tf.shape(values))
        values = tf.reshape(values, [n, m, self.heads, self.units // self.heads])
        return tf.transpose(values, [0, 2, 1, 3])


def attend_in_cpp(
    own: ModuleType,
    query: tf.Tensor,
    key: tf.Tensor,
    value: tf.Tensor,
    group: tf.Tensor,
    begins: tf.Tensor,
    heads: int,
    causal: bool = False,
) -> tf.Tensor:
    """Attention of queries [n, units] to the keys and values of their group alone.

    Args:
        key, value: [m, units], group after group.
        group: of each query, int32 [n].
        begins: where the keys of each group begin, and the last's end, int32
            [groups + 1].
        causal: queries and keys are of the same words, and see none after their own.

    Returns:
        [n, units].
    """

    @tf.custom_gradient
    def attend(query, key, value):
        given = [query, key, value, group, begins]
        how = {"heads": heads, "causal": causal}
        seen, log_sums = own.tfcap_attend(*given, **how)

        def gradient(upstream):
            known = [seen, log_sums, upstream]
            return tuple(own.tfcap_attend_gradient(*given, *known, **how))

        return seen, gradient

    return attend(query, key, value)


def places(photo: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Where to put each row so that those of a photo lie side by side.

    Args:
        photo: int32 [rows], in any order: 0 2 2 0 2 gives (0, 0) (2, 0) (2, 1) (0, 1)
            (2, 2), and 3.

    Returns:
        int32 [rows, 2], photo and how many of its rows come before; and the largest
        number of rows of a photo.
    """
    order = tf.argsort(photo, stable=True)
    ordered = tf.gather(photo, order)
    before = tf.range(tf.size(photo)) - tf.searchsorted(ordered, ordered)
    rank = tf.scatter_nd(order[:, tf.newaxis], before, tf.shape(photo))
    most = tf.reduce_max(tf.concat([rank, [-1]], 0)) + 1
    return tf.stack([photo, rank], 1), most


def over_cells(shares: tf.Tensor, count: int) -> tf.Tensor:
    """Shares [..., cells] over `count` cells; that of a mean cell is of all alike."""
    shares = tf.cast(shares, tf.float32)
    return shares[..., :count] + tf.reduce_sum(shares[..., count:], -1, True) / count
