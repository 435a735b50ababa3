"""An LSTM that attends to the photo's cells before each word.

    tokens -> embedding ─(+ mean of cells)─ LSTM ─┬─ query ─┐
                                                  │       attention ── cells
                                                  └──── and ┴─ dense relu -> words

Source: Xu et al., "Show, Attend and Tell", 2015, with attention after the LSTM as in Lu
et al., "Knowing When to Look", 2017. The attended context does not enter the LSTM's
state, so all positions of a caption attend at once. Several heads as in Vaswani et al.
2017.
"""

import keras
import tensorflow as tf

from records.format.manifest import FeatureStatistics
from records.format.schema import FeatureSpec
from tfcap.config.model import AttentionConfig
from tfcap.models.base import CaptioningModel, Context
from tfcap.models.layers.cross_attention import PhotoAttention, over_cells
from tfcap.models.layers.embedding import WordEmbedding
from tfcap.models.layers.image_features import ImageFeatures
from tfcap.models.layers.packed_lstm import read_words
from tfcap.models.layers.packed_tokens import PackedTokens
from tfcap.ops.dropout import dropout

HIDDEN, OUTPUT = 20, 21


class AttentionCaptioner(CaptioningModel):
    """The attention model.

    Args:
        config: layer sizes, dropout and ingredients.
        vocabulary_size: tokens, special ones included.
        features: shape of one photo's features.
        moments: mean and deviation to standardise with.
        seed: seed of the initial weights.

    Raises:
        UserError: the features have no cells.
    """

    def __init__(
        self,
        config: AttentionConfig,
        vocabulary_size: int,
        features: FeatureSpec,
        moments: FeatureStatistics,
        seed: int = 0,
    ):
        super().__init__(name="attention")
        keras.utils.set_random_seed(seed)
        self.config = config
        self.cells = ImageFeatures(config, features, moments)
        dense = keras.layers.Dense
        self.photo_word = dense(config.embedding_units, name="photo_word")
        self.words = WordEmbedding(config, vocabulary_size)
        self.lstm = keras.layers.LSTM(
            config.lstm_units, return_sequences=True, name="lstm"
        )
        self.look = PhotoAttention(config.attention_units, config.heads, "look")
        self.hidden = dense(config.output_units, "relu", name="hidden")
        self.word = dense(config.embedding_units, name="word")
        self.make_weights(features.shape)

    def prepare(self, records):
        self.cells.prepare(records)

    def encode(self, features, seed=None):
        cells, mean = self.cells(features, seed)
        word = self.photo_word(mean) if self.config.pooled_words else None
        return Context.of_photos({"cells": self.look.project(cells), "word": word})

    def read(self, context, text, seed=None):
        context = context.select_rows(text.row)
        hidden = self.recall(context, text, seed)
        attended, _ = self.look(hidden, context.photo, context.memory["cells"])
        return tf.concat([hidden, attended], -1)

    def recall(self, context, text, seed=None):
        """Returns the LSTM's output after each token, [tokens, lstm_units].

        The rows of `context` are tokens; those of `seed` are rows.
        """
        seeds = text.seeds(seed)
        hidden = read_words(self.lstm, self.vectors(context, text.tokens, seeds), text)
        return dropout(hidden, self.config.hidden_dropout, seeds, HIDDEN)

    def vectors(self, context, tokens, seed=None):
        """Returns words' vectors plus their photo's mean vector, [tokens, units]."""
        words, photo = self.words(tokens, seed), context.memory["word"]
        return words if photo is None else words + tf.gather(photo, context.photo)

    def predict_token(self, hidden, seed=None):
        hidden = self.hidden(hidden)
        hidden = dropout(hidden, self.config.output_dropout, seed, OUTPUT)
        return self.words.predict(self.word(hidden))

    def initial_state(self, context, length):
        units, dtype = self.config.lstm_units, self.lstm.compute_dtype
        zeros = tf.zeros([context.rows, units], dtype)
        return [zeros, zeros]

    def step(self, context, state, token):
        hidden, state = self.lstm.cell(self.vectors(context, token), state)
        attended, _ = self.look(hidden, context.photo, context.memory["cells"])
        return self.predict_token(tf.concat([hidden, attended], -1)), state

    def attention(self, context, tokens):
        text = PackedTokens.with_padding(tokens)
        context = context.select_rows(text.row)
        hidden = self.recall(context, text)
        _, weights = self.look(hidden, context.photo, context.memory["cells"])
        return text.unpack(over_cells(weights, self.cells.count))
