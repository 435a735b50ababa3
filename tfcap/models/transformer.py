"""A causal transformer decoder that attends to the photo's cells.

    tokens -> embedding + position ─ block ─ ... ─ block ─ norm -> words

    block: self-attention, attention to cells, feed-forward, each with a residual
    connection

Source: the decoder of Vaswani et al., "Attention Is All You Need", 2017, with layer
norms before each part (pre-LN) as in Xiong et al., "On Layer Normalization in the
Transformer Architecture", 2020, which trains without a long warm-up.
"""

import keras
import numpy as np
import tensorflow as tf

from records.format.manifest import FeatureStatistics
from records.format.schema import FeatureSpec
from tfcap.config.model import TransformerConfig
from tfcap.models.base import CaptioningModel, Context
from tfcap.models.layers.cross_attention import over_cells
from tfcap.models.layers.decoder_block import DecoderBlock
from tfcap.models.layers.embedding import WordEmbedding
from tfcap.models.layers.image_features import ImageFeatures
from tfcap.models.layers.packed_tokens import PackedTokens
from tfcap.ops.dropout import dropout

OUTPUT = 21


class TransformerCaptioner(CaptioningModel):
    """The transformer.

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
        config: TransformerConfig,
        vocabulary_size: int,
        features: FeatureSpec,
        moments: FeatureStatistics,
        seed: int = 0,
    ):
        super().__init__(name="transformer")
        keras.utils.set_random_seed(seed)
        self.config = config
        self.cells = ImageFeatures(config, features, moments)
        units = config.embedding_units
        self.photo_word = keras.layers.Dense(units, name="photo_word")
        self.words = WordEmbedding(config, vocabulary_size)
        self.blocks = [DecoderBlock(config, number) for number in range(config.layers)]
        # A checkpoint finds layers that are attributes, and none in a list.
        for number, block in enumerate(self.blocks):
            setattr(self, f"block_{number}", block)
        self.norm = keras.layers.LayerNormalization(name="norm")
        self.make_weights(features.shape)

    def prepare(self, records):
        self.cells.prepare(records)

    def encode(self, features, seed=None):
        cells, mean = self.cells(features, seed)
        word = self.photo_word(mean) if self.config.pooled_words else None
        projected = [block.look.project(cells) for block in self.blocks]
        return Context.of_photos({"cells": projected, "word": word})

    def read(self, context, text, seed=None):
        hidden, _ = self.run(context, text, seed)
        return self.norm(hidden)

    def run(self, context, text, seed=None):
        """Returns hidden values before the last norm, and the last block's weights."""
        context, seeds = context.select_rows(text.row), text.seeds(seed)
        hidden = self.vectors(context, text.tokens, text.position, seeds)
        for block, cells in zip(self.blocks, context.memory["cells"], strict=True):
            hidden, weights = block.read(hidden, text, context.photo, cells, seeds)
        return hidden, weights

    def vectors(self, context, tokens, position, seed=None):
        """Returns words' vectors plus their positions and their photo's mean vector."""
        words, photo = self.words(tokens, seed), context.memory["word"]
        words += tf.cast(sines(position, self.config.embedding_units), words.dtype)
        return words if photo is None else words + tf.gather(photo, context.photo)

    def predict_token(self, hidden, seed=None):
        hidden = dropout(hidden, self.config.output_dropout, seed, OUTPUT)
        return self.words.predict(hidden)

    def initial_state(self, context, length):
        return {
            "position": tf.zeros([context.rows], tf.int32),
            "kept": [block.nothing_kept(context.rows, length) for block in self.blocks],
        }

    def step(self, context, state, token):
        position = state["position"]
        hidden, kept = self.vectors(context, token, position), []
        parts = zip(self.blocks, state["kept"], context.memory["cells"], strict=True)
        for block, before, cells in parts:
            hidden, after = block.step(hidden, position, before, context.photo, cells)
            kept.append(after)
        logits = self.predict_token(self.norm(hidden))
        return logits, {"position": position + 1, "kept": kept}

    def attention(self, context, tokens):
        text = PackedTokens.with_padding(tokens)
        _, weights = self.run(context, text)
        return text.unpack(over_cells(weights, self.cells.count))


def sines(position: tf.Tensor, units: int) -> tf.Tensor:
    """Encodes positions int32 [n] by sines and cosines, float32 [n, units].

    Source: Vaswani et al. 2017, section 3.5. The length of captions is not limited.
    """
    rates = 10000.0 ** -np.linspace(0, 1, units // 2, endpoint=False, dtype=np.float32)
    angles = tf.cast(position, tf.float32)[:, tf.newaxis] * rates
    return tf.concat([tf.sin(angles), tf.cos(angles)], 1)
