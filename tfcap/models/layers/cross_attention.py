"""Attention of tokens to the cells of their photo."""

import keras
import tensorflow as tf

from tfcap.ops.attention import attend_to_photo

Projected = tuple[tf.Tensor, tf.Tensor]  # keys and values
Attended = tuple[tf.Tensor, tf.Tensor | None]  # context and attention weights


class PhotoAttention(keras.layers.Layer):
    """Multi-head attention whose keys and values are a photo's cells."""

    def __init__(self, units: int, heads: int, name: str):
        super().__init__(name=name)
        self.heads = heads
        self.query = keras.layers.Dense(units, name="query")
        self.key = keras.layers.Dense(units, use_bias=False, name="key")
        self.value = keras.layers.Dense(units, name="value")

    def project(self, cells: tf.Tensor) -> Projected:
        """Returns keys and values [photos, cells, units] of [photos, cells, size]."""
        return self.key(cells), self.value(cells)

    def call(self, text: tf.Tensor, photo: tf.Tensor, cells: Projected) -> Attended:
        """Attends from each token to the cells of its photo.

        Args:
            text: [tokens, h].
            photo: the photo of each token, int32 [tokens].
            cells: keys and values, as `project` returns them.

        Returns:
            The context, [tokens, units]; and the attention weights [tokens, cells], or
            None in training, as `attend_to_photo` returns them.
        """
        return attend_to_photo(self.query(text), *cells, photo, self.heads)


def over_cells(weights: tf.Tensor, count: int) -> tf.Tensor:
    """Spreads the weight of an additional mean cell over the others.

    Args:
        weights: [..., cells], the mean cell last if there is one.
        count: number of cells without the mean cell.

    Returns:
        float32 [..., count].
    """
    weights = tf.cast(weights, tf.float32)
    spread = tf.reduce_sum(weights[..., count:], -1, True) / count
    return weights[..., :count] + spread
