"""Attention of many rows over the cells of few photos.

Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.2. Rows about one
photo (its captions, their prefixes, the beams of a search) are put side by side, and
the photo's cells multiplied with all of them at once: a grid's keys and values are
there once a photo, never once a row.
"""

import keras
import tensorflow as tf

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
            text: [rows, length, h].
            photo: int32 [rows], the photo that each row is about.
            cells: of `project`.

        Returns:
            [rows, length, units]; and [rows, length, cells], the mean over heads.
        """
        keys, values = (self.by_head(part) for part in cells)
        photos, length = tf.shape(keys)[0], tf.shape(text)[1]
        place, most = places(photo)
        queries = tf.scatter_nd(
            place, self.query(text), [photos, most, length, self.units]
        )
        queries = self.by_head(tf.reshape(queries, [photos, most * length, self.units]))
        scores = tf.matmul(queries, keys, transpose_b=True)
        scale = (self.units // self.heads) ** -0.5
        shares = tf.nn.softmax(tf.cast(scores, tf.float32) * scale)
        seen = tf.matmul(tf.cast(shares, values.dtype), values)
        seen = tf.transpose(seen, [0, 2, 1, 3])
        seen = tf.reshape(seen, [photos, most, length, self.units])
        shares = tf.reshape(
            tf.reduce_mean(shares, 1), [photos, most, length, tf.shape(keys)[2]]
        )
        return tf.gather_nd(seen, place), tf.gather_nd(shares, place)

    def by_head(self, values: tf.Tensor) -> tf.Tensor:
        """[n, m, units] -> [n, heads, m, units of a head]."""
        n, m, _ = tf.unstack(tf.shape(values))
        values = tf.reshape(values, [n, m, self.heads, self.units // self.heads])
        return tf.transpose(values, [0, 2, 1, 3])


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
