"""Packed rows of tokens: rows of different lengths, one after another, unpadded.

Layers that treat each token by itself need no padding, whose id is 0. In a batch of
Flickr8k's captions, padded to the longest, half of the tokens would be padding.
"""

from typing import NamedTuple

import tensorflow as tf

from tfcap.ops.dispatch import fixed_sizes
from tfcap.ops.random import Seeds, fold_in


class PackedTokens(NamedTuple):
    """A packed sequence of tokens, row by row.

    Attributes:
        tokens: int32 [tokens].
        places: row and position of each token, int32 [tokens, 2].
        lengths: lengths of the rows without padding, int32 [rows].
        size: number of rows, and length of the padded rows, int32 [2].
        padded: whether the tokens include padding, up to `size`.
    """

    tokens: tf.Tensor
    places: tf.Tensor
    lengths: tf.Tensor
    size: tf.Tensor
    padded: bool

    @classmethod
    def of(cls, tokens: tf.Tensor) -> "PackedTokens":
        """Packs tokens int32 [rows, length], padded on the right.

        Padding is kept for XLA, which needs sizes that do not depend on values, and
        where the size is known when the graph is traced.
        """
        keep = fixed_sizes() or tokens.shape.is_fully_defined()
        return cls.with_padding(tokens) if keep else cls.without_padding(tokens)

    @classmethod
    def without_padding(cls, tokens: tf.Tensor) -> "PackedTokens":
        """Packs tokens int32 [rows, length] and drops the padding."""
        places = tf.cast(tf.where(tokens != 0), tf.int32)
        lengths = tf.math.count_nonzero(tokens, 1, dtype=tf.int32)
        size = tf.shape(tokens)
        return cls(tf.gather_nd(tokens, places), places, lengths, size, False)

    @classmethod
    def with_padding(cls, tokens: tf.Tensor) -> "PackedTokens":
        """Packs all of tokens int32 [rows, length], padding included."""
        size = tf.shape(tokens)
        word = tf.range(tf.size(tokens))
        places = tf.stack([word // size[1], word % size[1]], 1)
        lengths = tf.math.count_nonzero(tokens, 1, dtype=tf.int32)
        return cls(tf.reshape(tokens, [-1]), places, lengths, size, True)

    @property
    def row(self) -> tf.Tensor:
        """The row of each token, int32 [tokens]."""
        return self.places[:, 0]

    @property
    def position(self) -> tf.Tensor:
        """The position of each token in its row, int32 [tokens]."""
        return self.places[:, 1]

    @property
    def last(self) -> tf.Tensor:
        """The index of the last token of each row, int32 [rows]."""
        if self.padded:
            return tf.range(self.size[0]) * self.size[1] + self.lengths - 1
        return tf.cumsum(self.lengths) - 1

    def seeds(self, of_rows: Seeds) -> Seeds:
        """Derives a token's seed from its row's seed and its position.

        Args:
            of_rows: int32 [rows]; None without random numbers.

        Returns:
            int32 [tokens]; None if `of_rows` is None.
        """
        if of_rows is None:
            return None
        return fold_in(tf.gather(of_rows, self.row), self.position)

    def pack(self, values: tf.Tensor) -> tf.Tensor:
        """Packs values [rows, longest, ...] to [tokens, ...]."""
        if self.padded:
            return tf.reshape(values, tf.concat([[-1], tf.shape(values)[2:]], 0))
        return tf.gather_nd(values, self.places)

    def unpack(self, values: tf.Tensor) -> tf.Tensor:
        """Unpacks values [tokens, ...] to [rows, longest, ...], 0 at padding."""
        shape = tf.concat([self.size, tf.shape(values)[1:]], 0)
        if self.padded:
            return tf.reshape(values, shape)
        return tf.scatter_nd(self.places, values, shape)
