"""The word embedding, and an output layer that may share its weights.

Source: Press and Wolf, "Using the Output Embedding to Improve Language Models", 2017.
Vectors are scaled on the way in as in Vaswani et al. 2017, section 3.4.
"""

import keras
import tensorflow as tf

from tfcap.config.model import AttendingConfig
from tfcap.ops.dropout import dropout
from tfcap.ops.random import Seeds

TEXT, WORD = 10, 11


class WordEmbedding(keras.layers.Layer):
    """A layer that maps tokens to vectors, and hidden values to logits (`predict`)."""

    def __init__(self, config: AttendingConfig, vocabulary_size: int):
        super().__init__(name="words")
        self.config = config
        units = config.embedding_units
        normal = keras.initializers.RandomNormal(stddev=units**-0.5)
        self.embedding = keras.layers.Embedding(
            vocabulary_size, units, normal, name="embedding"
        )
        self.output_layer = None
        if not config.tied:
            self.output_layer = keras.layers.Dense(vocabulary_size, name="output")
        self.vocabulary_size = vocabulary_size

    def build(self, tokens_shape: tuple[int | None, ...]) -> None:
        self.embedding.build()
        if self.output_layer:
            self.output_layer.build([None, self.config.embedding_units])
        else:
            self.bias = self.add_weight([self.vocabulary_size], "zeros", name="bias")

    def call(self, tokens: tf.Tensor, seed: Seeds = None) -> tf.Tensor:
        """Returns the vectors [..., units] of tokens int32 [...]."""
        vectors = self.embedding(tokens) * self.config.embedding_units**0.5
        vectors = dropout(vectors, self.config.text_dropout, seed, TEXT)
        if seed is None or not self.config.word_dropout:
            return vectors
        ones = tf.ones([*tf.unstack(tf.shape(tokens)), 1], vectors.dtype)
        # Words that are kept are not scaled up.
        kept = dropout(ones, self.config.word_dropout, seed, WORD) > 0
        return tf.where(kept, vectors, tf.zeros_like(vectors))

    def predict(self, hidden: tf.Tensor) -> tf.Tensor:
        """Returns float32 logits [n, vocabulary] of hidden values [n, units]."""
        if self.output_layer:
            return tf.cast(self.output_layer(hidden), tf.float32)
        table = tf.cast(self.embedding.embeddings, hidden.dtype)
        logits = tf.matmul(hidden, table, transpose_b=True)
        return tf.cast(logits, tf.float32) + tf.cast(self.bias, tf.float32)
