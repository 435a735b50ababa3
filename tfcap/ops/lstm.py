"""Runs the recurrence of an LSTM over rows of different lengths without padding."""

from collections.abc import Callable
from types import ModuleType

import tensorflow as tf

from tfcap.ops.dispatch import native_ops

State = list[tf.Tensor]


def packed_lstm(
    gates: tf.Tensor, lengths: tf.Tensor, recurrent: tf.Tensor, state: State | None
) -> tf.Tensor:
    """Runs an LSTM over packed rows.

    Args:
        gates: inputs times the kernel, plus the bias, [tokens, 4 * units], row by row.
        lengths: lengths of the rows, int32 [rows].
        recurrent: recurrent kernel [units, 4 * units].
        state: initial hidden and cell values, [rows, units] each; None for zeros.

    Returns:
        The hidden values after each token, [tokens, units].
    """
    native = native_ops(gates)
    if native:
        return packed_lstm_native(native, gates, lengths, recurrent, state)
    # The rows are sorted by falling length. At each position the rows that have not
    # ended are then the first ones, and the others are cut off.
    order = tf.argsort(lengths, direction="DESCENDING", stable=True)
    continues = tf.transpose(tf.sequence_mask(tf.gather(lengths, order)))
    places = tf.where(continues)  # (position, row in the order), position by position
    starts = tf.gather(tf.cumsum(lengths, exclusive=True), order)
    token = tf.gather(starts, places[:, 1]) + tf.cast(places[:, 0], tf.int32)
    counts = tf.math.count_nonzero(continues, 1, dtype=tf.int32)
    zeros = tf.zeros([tf.size(lengths), recurrent.shape[0]], gates.dtype)
    state = [tf.gather(part, order) for part in state or [zeros, zeros]]
    hidden = shrinking_lstm(tf.gather(gates, token), counts, recurrent, state)
    return tf.gather(hidden, tf.math.invert_permutation(token))


def shrinking_lstm(
    gates: tf.Tensor, counts: tf.Tensor, recurrent: tf.Tensor, state: State
) -> tf.Tensor:
    """Runs an LSTM over tokens that stand position by position.

    Args:
        gates: as in `packed_lstm`.
        counts: tokens at each position, int32 [positions], never rising.
        recurrent: recurrent kernel [units, 4 * units].
        state: initial hidden and cell values, [rows, units] each.

    Returns:
        The hidden values, [tokens, units].
    """
    length, units = tf.size(counts), recurrent.shape[0]
    options = {"infer_shape": False, "dtype": gates.dtype}
    inputs = tf.TensorArray(size=length, element_shape=[None, 4 * units], **options)
    inputs = inputs.split(gates, counts)
    outputs = tf.TensorArray(size=length, element_shape=[None, units], **options)

    def step(position, hidden, cell, outputs):
        current = inputs.read(position)
        count = tf.shape(current)[0]
        current += tf.matmul(hidden[:count], recurrent)
        enter, keep, new, leave = tf.split(current, 4, 1)
        cell = tf.sigmoid(keep) * cell[:count] + tf.sigmoid(enter) * tf.tanh(new)
        hidden = tf.sigmoid(leave) * tf.tanh(cell)
        return position + 1, hidden, cell, outputs.write(position, hidden)

    shrinking = tf.TensorShape([None, units])
    *_, outputs = tf.while_loop(
        lambda position, *_: position < length,
        step,
        (tf.constant(0), *state, outputs),
        (tf.TensorShape([]), shrinking, shrinking, tf.TensorShape(None)),
        parallel_iterations=1,
        maximum_iterations=length,
    )
    return tf.ensure_shape(outputs.concat(), [None, units])


def packed_lstm_native(
    native: ModuleType,
    gates: tf.Tensor,
    lengths: tf.Tensor,
    recurrent: tf.Tensor,
    state: State | None,
) -> tf.Tensor:
    """Calls the native operation, which multiplies nothing by zeros."""

    @tf.custom_gradient
    def hidden(
        gates: tf.Tensor, recurrent: tf.Tensor, *state: tf.Tensor
    ) -> tuple[tf.Tensor, Callable]:
        none = tf.zeros([0, recurrent.shape[0]])
        first_hidden, first_cell = state or (none, none)
        values, cell, opened = native.tfcap_lstm(
            gates, lengths, recurrent, first_hidden, first_cell
        )

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
            results = [first_hidden, first_cell, values, cell]
            d_gates, previous, *d_state = native.tfcap_lstm_gradient(
                opened, lengths, recurrent, *results, upstream
            )
            d_recurrent = tf.matmul(previous, d_gates, transpose_a=True)
            return (d_gates, d_recurrent, *(d_state if state else ()))

        return values, gradient

    return hidden(gates, recurrent, *state or ())
