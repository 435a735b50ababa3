"""Rows of tokens of unlike lengths, word after word without their padding.

What a layer does to each word by itself it does to words that are there alone: of a
batch of Flickr8k's captions, padded to the longest, half would be padding.
"""

from typing import NamedTuple

import tensorflow as tf

from records.text.vocabulary import PAD_ID
from tfcap.ops.random import place_seeds


class PackedTokens(NamedTuple):
    """Words of rows, row by row; a word of a prefix or caption is one token.

    Attributes:
        tokens: int32 [words].
        places: row and position of each, int32 [words, 2].
        lengths: of the rows without padding, int32 [rows].
        size: rows, and words of the longest, int32 [2].
        padded: whether padding is among the words, up to `size`.
    """

    tokens: tf.Tensor
    places: tf.Tensor
    lengths: tf.Tensor
    size: tf.Tensor
    padded: bool

    @classmethod
    def of(cls, tokens: tf.Tensor) -> "PackedTokens":
        """Tokens int32 [rows, length], padded on the right.

        Padding is left out, but where the size is known before: XLA needs sizes that
        do not vary.
        """
        known = tokens.shape.is_fully_defined()
        return cls.with_padding(tokens) if known else cls.without_padding(tokens)

    @classmethod
    def without_padding(cls, tokens: tf.Tensor) -> "PackedTokens":
        """Those of tokens int32 [rows, length] that are not padding."""
        places = tf.cast(tf.where(tokens != PAD_ID), tf.int32)
        lengths = tf.math.count_nonzero(tokens, 1, dtype=tf.int32)
        size = tf.shape(tokens)
        return cls(tf.gather_nd(tokens, places), places, lengths, size, False)

    @classmethod
    def with_padding(cls, tokens: tf.Tensor) -> "PackedTokens":
        """Tokens int32 [rows, length], all of them."""
        size = tf.shape(tokens)
        word = tf.range(tf.size(tokens))
        places = tf.stack([word // size[1], word % size[1]], 1)
        lengths = tf.math.count_nonzero(tokens, 1, dtype=tf.int32)
        return cls(tf.reshape(tokens, [-1]), places, lengths, size, True)

    @property
    def row(self) -> tf.Tensor:
        """Of each word, int32 [words]."""
        return self.places[:, 0]

    @property
    def position(self) -> tf.Tensor:
        """Of each word in its row, int32 [words]."""
        return self.places[:, 1]

    @property
    def last(self) -> tf.Tensor:
        """Which word ends each row, int32 [rows]."""
        if self.padded:
            return tf.range(self.size[0]) * self.size[1] + self.lengths - 1
        return tf.cumsum(self.lengths) - 1

    def seeds(self, of_rows: tf.Tensor | None) -> tf.Tensor | None:
        """For dropout in each word, int32 [words], by those of rows; None of None."""
        return place_seeds(of_rows, self.places)

    def pack(self, values: tf.Tensor) -> tf.Tensor:
        """Values [rows, longest, ...] -> [words, ...]."""
        if self.padded:
            return tf.reshape(values, tf.concat([[-1], tf.shape(values)[2:]], 0))
        return tf.gather_nd(values, self.places)

    def unpack(self, values: tf.Tensor) -> tf.Tensor:
        """Values [words, ...] -> [rows, longest, ...], 0 where no word is."""
        shape = tf.concat([self.size, tf.shape(values)[1:]], 0)
        if self.padded:
            return tf.reshape(values, shape)
        return tf.scatter_nd(self.places, values, shape)
