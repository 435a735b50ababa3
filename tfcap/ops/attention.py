"""Attention of packed tokens: over the cells of their photo, and over earlier tokens.

Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.2.
"""

from collections.abc import Callable
from types import ModuleType

import tensorflow as tf

from tfcap.ops.dispatch import fixed_sizes, native_ops
from tfcap.ops.packed_tokens import PackedTokens

# Far below any score, and finite in float16 too.
MASKED_SCORE = -3e4


def attend_to_photo(
    query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, photo: tf.Tensor, heads: int
) -> tuple[tf.Tensor, tf.Tensor | None]:
    """Attends from each token to the cells of its photo.

    Tokens of one photo (its captions, their prefixes, the beams of a search) are put
    side by side, and the photo's cells are multiplied with all of them at once. A
    grid's keys and values are held once a photo, never once a row.

    Args:
        query: [tokens, units].
        key: [photos, cells, units].
        value: [photos, cells, units].
        photo: the photo of each token, int32 [tokens].
        heads: number of heads; divides `units`.

    Returns:
        The context, [tokens, units]; and the attention weights, float32 [tokens,
        cells], the mean over heads, or None from the native operation and for XLA,
        which serve training steps that do not use them. For XLA, each photo has equally
        many tokens, photo after photo (`tfcap.data.padding`).
    """
    native, units = native_ops(query), query.shape[-1]
    photos, cells, _ = tf.unstack(tf.shape(key))
    if native:
        begins = tf.range(photos + 1) * cells
        keys, values = (tf.reshape(part, [-1, units]) for part in (key, value))
        return attend_native(native, query, keys, values, photo, begins, heads), None
    if fixed_sizes():
        queries = tf.reshape(query, [photos, -1, units])
        context, weights = attend_to_cells(queries, key, value, heads)
        return tf.reshape(context, [-1, units]), None
    place, most = places(photo)
    queries = tf.scatter_nd(place, query, [photos, most, units])
    context, weights = attend_to_cells(queries, key, value, heads)
    return tf.gather_nd(context, place), tf.gather_nd(weights, place)


def attend_to_cells(
    query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, heads: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Attends from each photo's tokens to its cells.

    Args:
        query: [photos, n, units].
        key: [photos, cells, units].
        value: [photos, cells, units].
        heads: number of heads; divides `units`.

    Returns:
        [photos, n, units]; and the mean weights over heads, [photos, n, cells].
    """
    units = query.shape[-1]
    queries, keys, values = (
        split_heads(part, heads, units) for part in (query, key, value)
    )
    scores = tf.matmul(queries, keys, transpose_b=True)
    weights = tf.nn.softmax(tf.cast(scores, tf.float32) * (units // heads) ** -0.5)
    context = merge_heads(tf.matmul(tf.cast(weights, values.dtype), values), units)
    return context, tf.reduce_mean(weights, 1)


def attend_to_earlier(
    query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, text: PackedTokens, heads: int
) -> tf.Tensor:
    """Attends from each token to itself and to the tokens before it in its row.

    Args:
        query: [tokens, units].
        key: [tokens, units].
        value: [tokens, units].
        text: the rows that the tokens belong to.
        heads: number of heads; divides `units`.

    Returns:
        [tokens, units].
    """
    native, units = native_ops(query), query.shape[-1]
    if native and not text.padded:
        begins = tf.concat([[0], tf.cumsum(text.lengths)], 0)
        return attend_native(native, query, key, value, text.row, begins, heads, True)
    length = text.size[1]
    # No mask for padding: it is on the right, and only the left is attended to.
    earlier = tf.linalg.band_part(tf.ones([length, length], tf.bool), -1, 0)
    queries, keys, values = (
        split_heads(text.unpack(part), heads, units) for part in (query, key, value)
    )
    return text.pack(masked_attention(queries, keys, values, earlier))


def masked_attention(
    query: tf.Tensor, key: tf.Tensor, value: tf.Tensor, visible: tf.Tensor
) -> tf.Tensor:
    """Attends to the visible keys.

    Args:
        query: [rows, heads, n, units of a head].
        key: [rows, heads, m, units of a head].
        value: [rows, heads, m, units of a head].
        visible: bool, broadcast to [rows, heads, n, m].

    Returns:
        [rows, n, units].
    """
    scores = tf.matmul(query, key, transpose_b=True) * query.shape[-1] ** -0.5
    scores = tf.where(visible, tf.cast(scores, tf.float32), MASKED_SCORE)
    weights = tf.cast(tf.nn.softmax(scores), value.dtype)
    _, heads, _, head_units = query.shape
    return merge_heads(tf.matmul(weights, value), heads * head_units)


def attend_native(
    native: ModuleType,
    query: tf.Tensor,
    key: tf.Tensor,
    value: tf.Tensor,
    group: tf.Tensor,
    begins: tf.Tensor,
    heads: int,
    causal: bool = False,
) -> tf.Tensor:
    """Attends from queries to the keys and values of their group by a native operation.

    Args:
        native: the native operations.
        query: [n, units].
        key: [m, units], group after group.
        value: [m, units], group after group.
        group: the group of each query, int32 [n].
        begins: where the keys of each group begin, and the end of the last group,
            int32 [groups + 1].
        heads: number of heads; divides `units`.
        causal: queries and keys are of the same tokens, and attend to none after them.

    Returns:
        [n, units].
    """

    @tf.custom_gradient
    def attend(
        query: tf.Tensor, key: tf.Tensor, value: tf.Tensor
    ) -> tuple[tf.Tensor, Callable]:
        inputs = [query, key, value, group, begins]
        options = {"heads": heads, "causal": causal}
        context, log_sums = native.tfcap_attend(*inputs, **options)

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
            results = [context, log_sums, upstream]
            return tuple(native.tfcap_attend_gradient(*inputs, *results, **options))

        return context, gradient

    return attend(query, key, value)


def split_heads(values: tf.Tensor, heads: int, units: int) -> tf.Tensor:
    """Reshapes [n, m, units] to [n, heads, m, units of a head]."""
    n, m, _ = tf.unstack(tf.shape(values))
    values = tf.reshape(values, [n, m, heads, units // heads])
    return tf.transpose(values, [0, 2, 1, 3])


def merge_heads(values: tf.Tensor, units: int) -> tf.Tensor:
    """Reshapes [n, heads, m, units of a head] to [n, m, units]."""
    values = tf.transpose(values, [0, 2, 1, 3])
    n, m = tf.unstack(tf.shape(values)[:2])
    return tf.reshape(values, [n, m, units])


def places(photo: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns where each row goes so that the rows of a photo lie side by side.

    Args:
        photo: int32 [rows], in any order: 0 2 2 0 2 gives (0, 0) (2, 0) (2, 1) (0, 1)
            (2, 2), and 3.

    Returns:
        int32 [rows, 2], photo and number of its rows that come before; and the largest
        number of rows of a photo.
    """
    order = tf.argsort(photo, stable=True)
    ordered = tf.gather(photo, order)
    before = tf.range(tf.size(photo)) - tf.searchsorted(ordered, ordered)
    rank = tf.scatter_nd(order[:, tf.newaxis], before, tf.shape(photo))
    most = tf.reduce_max(tf.concat([rank, [-1]], 0)) + 1
    return tf.stack([photo, rank], 1), most
