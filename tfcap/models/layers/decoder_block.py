"""A block of the transformer's decoder, for whole captions or one token at a time."""

import keras
import tensorflow as tf

from tfcap.config.model import TransformerConfig
from tfcap.models.layers.cross_attention import PhotoAttention, Projected
from tfcap.models.layers.packed_tokens import PackedTokens
from tfcap.ops.attention import attend_to_earlier, masked_attention
from tfcap.ops.dropout import dropout

Kept = tuple[tf.Tensor, tf.Tensor]
SELF, SEEN, INNER = range(3)


class DecoderBlock(keras.layers.Layer):
    """Self-attention, attention to the photo's cells, and a feed-forward layer.

    Args:
        config: settings of the transformer.
        number: number of the block, from 0; each block has its own dropout.
    """

    def __init__(self, config: TransformerConfig, number: int):
        super().__init__(name=f"block_{number}")
        units = config.embedding_units
        self.heads, self.head_units = config.heads, units // config.heads
        self.rate, self.site = config.hidden_dropout, 100 + 10 * number
        dense, norm = keras.layers.Dense, keras.layers.LayerNormalization
        # Not a list: a checkpoint finds no layers in one.
        self.norm_self, self.norm_look = norm(name="norm_self"), norm(name="norm_look")
        self.norm_inner = norm(name="norm_inner")
        self.queries_keys_values = dense(3 * units, name="queries_keys_values")
        self.mixed = dense(units, name="mixed")
        self.look = PhotoAttention(units, config.heads, "look")
        self.seen = dense(units, name="seen")
        self.widen = dense(config.feed_forward_units, "relu", name="widen")
        self.narrow = dense(units, name="narrow")

    def read(self, hidden, text: PackedTokens, photo, cells: Projected, seed=None):
        """Runs the block over whole rows.

        Args:
            hidden: [tokens, units].
            text: the tokens.
            photo: the photo of each token, int32 [tokens].
            cells: keys and values, as `PhotoAttention.project` returns them.
            seed: of the tokens, int32 [tokens]; None without dropout.

        Returns:
            [tokens, units]; and the weights of cells, as of `PhotoAttention`.
        """
        parts = tf.split(self.queries_keys_values(self.norm_self(hidden)), 3, -1)
        mixed = attend_to_earlier(*parts, text, self.heads)
        return self.after_self(hidden, mixed, photo, cells, seed)

    def step(self, hidden, position, kept: Kept, photo, cells: Projected):
        """Runs the block over one token of each row.

        Args:
            hidden: [rows, units].
            position: of the token, int32 [rows].
            kept: keys and values of earlier positions, [rows, heads, length, units of a
                head].
            photo: the photo of each row, int32 [rows].
            cells: keys and values, as `PhotoAttention.project` returns them.

        Returns:
            [rows, units]; and `kept` with this position.
        """
        parts = tf.split(self.queries_keys_values(self.norm_self(hidden)), 3, -1)
        shape = [tf.size(position), self.heads, self.head_units]
        query, key, value = (tf.reshape(part, shape) for part in parts)
        row, head = tf.meshgrid(tf.range(shape[0]), tf.range(self.heads), indexing="ij")
        here = tf.stack(
            [row, head, tf.repeat(position[:, tf.newaxis], self.heads, 1)], 2
        )
        keys, values = (
            tf.tensor_scatter_nd_update(before, here, now)
            for before, now in zip(kept, (key, value), strict=True)
        )
        until = tf.range(tf.shape(keys)[2]) <= position[:, tf.newaxis]
        until = until[:, tf.newaxis, tf.newaxis]
        mixed = masked_attention(query[:, :, tf.newaxis], keys, values, until)
        hidden, _ = self.after_self(hidden, mixed[:, 0], photo, cells, None)
        return hidden, (keys, values)

    def nothing_kept(self, rows: tf.Tensor, length: int) -> Kept:
        shape = [rows, self.heads, length, self.head_units]
        zeros = tf.zeros(shape, self.compute_dtype)
        return zeros, zeros

    def after_self(self, hidden, mixed, photo, cells, seed):
        """Runs the block from the output of self-attention on."""
        hidden += self.dropped(self.mixed(mixed), seed, SELF)
        context, weights = self.look(self.norm_look(hidden), photo, cells)
        hidden += self.dropped(self.seen(context), seed, SEEN)
        inner = self.narrow(self.widen(self.norm_inner(hidden)))
        return hidden + self.dropped(inner, seed, INNER), weights

    def dropped(self, values, seed, part: int):
        return dropout(values, self.rate, seed, self.site + part)
