"""A block of the transformer's decoder."""

import keras
import tensorflow as tf

from tfcap.config.model import TransformerConfig
from tfcap.models.layers.cross_attention import PhotoAttention, Projected
from tfcap.ops.attention import attend_to_earlier, masked_attention
from tfcap.ops.dropout import dropout
from tfcap.ops.packed_tokens import PackedTokens
from tfcap.ops.random import Seeds

# Keys and values of earlier positions, [rows, heads, length, units of a head] each.
Cache = tuple[tf.Tensor, tf.Tensor]
SELF, CROSS, INNER = range(3)


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

    def read(
        self,
        hidden: tf.Tensor,
        text: PackedTokens,
        photo: tf.Tensor,
        cells: Projected,
        seed: Seeds = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Runs the block over whole rows.

        Args:
            hidden: [tokens, units].
            text: the tokens.
            photo: the photo of each token, int32 [tokens].
            cells: keys and values, as `PhotoAttention.project` returns them.
            seed: seeds of the tokens, int32 [tokens]; None without dropout.

        Returns:
            [tokens, units]; and the weights of cells, as of `PhotoAttention`.
        """
        query, key, value = self.project(hidden)
        mixed = attend_to_earlier(query, key, value, text, self.heads)
        return self.after_self(hidden, mixed, photo, cells, seed)

    def step(
        self,
        hidden: tf.Tensor,
        position: tf.Tensor,
        cache: Cache,
        photo: tf.Tensor,
        cells: Projected,
    ) -> tuple[tf.Tensor, Cache]:
        """Runs the block over one token of each row.

        Args:
            hidden: [rows, units].
            position: positions of the tokens, int32 [rows].
            cache: keys and values of earlier positions.
            photo: the photo of each row, int32 [rows].
            cells: keys and values, as `PhotoAttention.project` returns them.

        Returns:
            [rows, units]; and the cache with this position.
        """
        shape = [tf.size(position), self.heads, self.head_units]
        query, key, value = (tf.reshape(part, shape) for part in self.project(hidden))
        row, head = tf.meshgrid(tf.range(shape[0]), tf.range(self.heads), indexing="ij")
        positions = tf.repeat(position[:, tf.newaxis], self.heads, 1)
        index = tf.stack([row, head, positions], 2)
        keys = tf.tensor_scatter_nd_update(cache[0], index, key)
        values = tf.tensor_scatter_nd_update(cache[1], index, value)
        visible = tf.range(tf.shape(keys)[2]) <= position[:, tf.newaxis]
        visible = visible[:, tf.newaxis, tf.newaxis]
        mixed = masked_attention(query[:, :, tf.newaxis], keys, values, visible)
        hidden, _ = self.after_self(hidden, mixed[:, 0], photo, cells, None)
        return hidden, (keys, values)

    def empty_cache(self, rows: tf.Tensor, length: int) -> Cache:
        shape = [rows, self.heads, length, self.head_units]
        zeros = tf.zeros(shape, self.compute_dtype)
        return zeros, zeros

    def project(self, hidden: tf.Tensor) -> list[tf.Tensor]:
        """Returns the queries, keys and values of self-attention, as `hidden` each."""
        return tf.split(self.queries_keys_values(self.norm_self(hidden)), 3, -1)

    def after_self(
        self,
        hidden: tf.Tensor,
        mixed: tf.Tensor,
        photo: tf.Tensor,
        cells: Projected,
        seed: Seeds,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Runs the block from the output of self-attention on."""
        hidden += self.drop(self.mixed(mixed), seed, SELF)
        context, weights = self.look(self.norm_look(hidden), photo, cells)
        hidden += self.drop(self.seen(context), seed, CROSS)
        inner = self.narrow(self.widen(self.norm_inner(hidden)))
        return hidden + self.drop(inner, seed, INNER), weights

    def drop(self, values: tf.Tensor, seed: Seeds, part: int) -> tf.Tensor:
        return dropout(values, self.rate, seed, self.site + part)
