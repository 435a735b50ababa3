"""The merge model: photo and text meet only after the LSTM.

    features -> standardise -> dropout -> dense relu ─┐
                                                     add -> dense relu -> softmax
    tokens -> embedding -> dropout -> LSTM ──────────┘

With `photo: init` the photo initialises the LSTM's state, and only the LSTM's output
feeds the decoder (init-inject). This is similar to Show and Tell (Vinyals et al. 2015),
whose LSTM reads the photo before the first word.

Sources: Tanti, Gatt and Camilleri, "Where to put the image in an image caption
generator", Natural Language Engineering 2018; layer sizes as in the T81-558 10.4
notebook (Heaton).
"""

import keras
import numpy as np
import tensorflow as tf

from records.format.manifest import FeatureStatistics
from records.format.schema import FeatureSpec
from tfcap.config.model import MergeConfig
from tfcap.models.base import CaptioningModel, Context, State
from tfcap.models.layers.packed_lstm import read_words, zero_state
from tfcap.models.layers.standardization import standardizer
from tfcap.ops.dropout import dropout
from tfcap.ops.packed_tokens import PackedTokens
from tfcap.ops.random import Seeds

IMAGE, TEXT, OUTPUT = range(3)


class MergeCaptioner(CaptioningModel):
    """The merge model.

    Args:
        config: layer sizes and dropout.
        vocabulary_size: tokens, special ones included.
        features: shape of one photo's features; a grid is averaged over its cells.
        moments: mean and deviation to standardise with.
        embedding: initial word vectors [vocabulary_size, embedding_units]; None for
            random ones.
        seed: seed of the initial weights.
    """

    def __init__(
        self,
        config: MergeConfig,
        vocabulary_size: int,
        features: FeatureSpec,
        moments: FeatureStatistics,
        embedding: np.ndarray | None = None,
        seed: int = 0,
    ):
        super().__init__(name="merge")
        # Before the first layer: layers take the seeds of their weights when they are
        # made, not when they are built.
        keras.utils.set_random_seed(seed)
        self.config = config
        self.vocabulary_size = vocabulary_size
        self.feature_shape = features.shape
        self.standardize = standardizer(moments) if config.standardize else None
        self.merges = config.photo == "merge"
        activation = "relu" if self.merges else "tanh"
        self.image = keras.layers.Dense(config.image_units, activation, name="image")
        self.embedding = keras.layers.Embedding(
            vocabulary_size,
            config.embedding_units,
            embeddings_initializer=(
                "uniform"
                if embedding is None
                else keras.initializers.Constant(embedding)
            ),
            trainable=config.embedding_trainable,
            name="embedding",
        )
        self.lstm = keras.layers.LSTM(
            config.lstm_units, return_sequences=True, name="lstm"
        )
        self.hidden = keras.layers.Dense(config.image_units, "relu", name="hidden")
        self.output_layer = keras.layers.Dense(vocabulary_size, name="output")
        self.make_weights(features.shape)

    def encode(self, features: tf.Tensor, seed: Seeds = None) -> Context:
        features = tf.cast(features, tf.float32)
        if len(self.feature_shape) == 3:
            features = tf.reduce_mean(features, [1, 2])
        if self.standardize:
            features = self.standardize(features)
        features = dropout(features, self.config.image_dropout, seed, IMAGE)
        return Context.of_photos(self.image(features))

    def read(
        self, context: Context, text: PackedTokens, seed: Seeds = None
    ) -> tf.Tensor:
        words = self.embedding(text.tokens)
        words = dropout(words, self.config.text_dropout, text.seeds(seed), TEXT)
        if not self.merges:
            state = self.initial_state(context, 0)
            return read_words(self.lstm, words, text, state)
        hidden = read_words(self.lstm, words, text)
        return hidden + self.photo(context.select_rows(text.row))

    def photo(self, context: Context) -> tf.Tensor:
        return tf.gather(context.memory, context.photo)

    def predict_token(self, hidden: tf.Tensor, seed: Seeds = None) -> tf.Tensor:
        hidden = self.hidden(hidden)
        hidden = dropout(hidden, self.config.output_dropout, seed, OUTPUT)
        return tf.cast(self.output_layer(hidden), tf.float32)

    def initial_state(self, context: Context, length: int) -> State:
        if not self.merges:
            return [self.photo(context)] * 2
        return zero_state(self.lstm, context.rows)

    def step(
        self, context: Context, state: State, token: tf.Tensor
    ) -> tuple[tf.Tensor, State]:
        text, state = self.lstm.cell(self.embedding(token), state)
        hidden = text + self.photo(context) if self.merges else text
        return self.predict_token(hidden), state
