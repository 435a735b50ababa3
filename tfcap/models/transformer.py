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

from tfcap.config.model import TransformerConfig
from tfcap.models.attending import AttendingModel
from tfcap.models.base import Context, State
from tfcap.models.layers.cross_attention import Projected
from tfcap.models.layers.decoder_block import DecoderBlock
from tfcap.ops.dropout import dropout
from tfcap.ops.packed_tokens import PackedTokens
from tfcap.ops.random import Seeds

OUTPUT = 21


class TransformerCaptioner(AttendingModel):
    """The transformer."""

    config: TransformerConfig

    def make_decoder(self) -> None:
        config = self.config
        self.blocks = [DecoderBlock(config, number) for number in range(config.layers)]
        # A checkpoint finds layers that are attributes, and none in a list.
        for number, block in enumerate(self.blocks):
            setattr(self, f"block_{number}", block)
        self.norm = keras.layers.LayerNormalization(name="norm")

    def project(self, cells: tf.Tensor) -> list[Projected]:
        return [block.look.project(cells) for block in self.blocks]

    def read(
        self, context: Context, text: PackedTokens, seed: Seeds = None
    ) -> tf.Tensor:
        hidden, _ = self.run_blocks(context.select_rows(text.row), text, seed)
        return self.norm(hidden)

    def run_blocks(
        self, context: Context, text: PackedTokens, seed: Seeds = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns hidden values before the last norm, and the last block's weights.

        Args:
            context: its rows are the tokens.
            text: the tokens.
            seed: seeds of the text's rows; None without dropout.
        """
        seeds, weights = text.seeds(seed), None
        hidden = self.embed(context, text.tokens, text.position, seeds)
        for block, cells in zip(self.blocks, context.memory["cells"], strict=True):
            hidden, weights = block.read(hidden, text, context.photo, cells, seeds)
        return hidden, weights

    def embed(
        self,
        context: Context,
        tokens: tf.Tensor,
        position: tf.Tensor,
        seed: Seeds = None,
    ) -> tf.Tensor:
        """Returns words' vectors plus their positions and their photo's mean vector."""
        words = self.words(tokens, seed)
        words += tf.cast(sines(position, self.config.embedding_units), words.dtype)
        return self.add_photo(words, context)

    def predict_token(self, hidden: tf.Tensor, seed: Seeds = None) -> tf.Tensor:
        hidden = dropout(hidden, self.config.output_dropout, seed, OUTPUT)
        return self.words.predict(hidden)

    def initial_state(self, context: Context, length: int) -> State:
        return {
            "position": tf.zeros([context.rows], tf.int32),
            "caches": [
                block.empty_cache(context.rows, length) for block in self.blocks
            ],
        }

    def step(
        self, context: Context, state: State, token: tf.Tensor
    ) -> tuple[tf.Tensor, State]:
        position, caches = state["position"], []
        hidden = self.embed(context, token, position)
        each = zip(self.blocks, state["caches"], context.memory["cells"], strict=True)
        for block, cache, cells in each:
            hidden, cache = block.step(hidden, position, cache, context.photo, cells)
            caches.append(cache)
        logits = self.predict_token(self.norm(hidden))
        return logits, {"position": position + 1, "caches": caches}

    def cell_weights(self, context: Context, text: PackedTokens) -> tf.Tensor:
        return self.run_blocks(context, text)[1]


def sines(position: tf.Tensor, units: int) -> tf.Tensor:
    """Encodes positions int32 [n] by sines and cosines, float32 [n, units].

    Source: Vaswani et al. 2017, section 3.5. The length of captions is not limited.
    """
    rates = 10000.0 ** -np.linspace(0, 1, units // 2, endpoint=False, dtype=np.float32)
    angles = tf.cast(position, tf.float32)[:, tf.newaxis] * rates
    return tf.concat([tf.sin(angles), tf.cos(angles)], 1)
