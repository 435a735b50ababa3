"""The base class of the models that attend to the photo's cells."""

import keras
import tensorflow as tf

from records.format.manifest import FeatureStatistics
from records.format.record_set import RecordSet
from records.format.schema import FeatureSpec
from tfcap.config.model import AttendingConfig
from tfcap.models.base import CaptioningModel, Context
from tfcap.models.layers.cross_attention import Projected, over_cells
from tfcap.models.layers.embedding import WordEmbedding
from tfcap.models.layers.image_features import ImageFeatures
from tfcap.ops.packed_tokens import PackedTokens
from tfcap.ops.random import Seeds


class AttendingModel(CaptioningModel):
    """A model that attends to the photo's cells.

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
        config: AttendingConfig,
        vocabulary_size: int,
        features: FeatureSpec,
        moments: FeatureStatistics,
        seed: int = 0,
    ):
        super().__init__(name=config.name)
        # Before the first layer: layers take the seeds of their weights when they are
        # made, not when they are built.
        keras.utils.set_random_seed(seed)
        self.config = config
        self.cells = ImageFeatures(config, features, moments)
        self.photo_word = keras.layers.Dense(config.embedding_units, name="photo_word")
        self.words = WordEmbedding(config, vocabulary_size)
        self.make_decoder()
        self.make_weights(features.shape)

    def make_decoder(self) -> None:
        """Makes the layers between the embedding and the output layer."""
        raise NotImplementedError

    def project(self, cells: tf.Tensor) -> Projected | list[Projected]:
        """Returns the keys and values that the decoder attends to, of its cells."""
        raise NotImplementedError

    def cell_weights(self, context: Context, text: PackedTokens) -> tf.Tensor:
        """Returns each token's attention weights, mean cell included."""
        raise NotImplementedError

    def prepare(self, records: RecordSet) -> None:
        self.cells.prepare(records)

    def encode(self, features: tf.Tensor, seed: Seeds = None) -> Context:
        cells, mean = self.cells(features, seed)
        word = self.photo_word(mean) if self.config.pooled_words else None
        return Context.of_photos({"cells": self.project(cells), "word": word})

    def add_photo(self, words: tf.Tensor, context: Context) -> tf.Tensor:
        """Adds to each word's vector the mean vector of its photo, if configured."""
        photo = context.memory["word"]
        return words if photo is None else words + tf.gather(photo, context.photo)

    def attention(self, context: Context, tokens: tf.Tensor) -> tf.Tensor:
        text = PackedTokens.with_padding(tokens)
        weights = self.cell_weights(context.select_rows(text.row), text)
        return text.unpack(over_cells(weights, self.cells.count))
