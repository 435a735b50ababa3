"""An LSTM over captions of unlike lengths that spends nothing on their padding.

Words are multiplied by their weights all at once. Then rows are read side by side, the
longest first: at each position those that are still there stand at the top, and the
others are cut off.
"""

from types import ModuleType

import keras
import tensorflow as tf

from tfcap.models.layers.packed_tokens import PackedTokens
from tfcap.ops.dispatch import cudnn_allowed, native_ops

State = list[tf.Tensor]


def read_words(
    lstm: keras.layers.LSTM,
    words: tf.Tensor,
    text: PackedTokens,
    state: State | None = None,
) -> tf.Tensor:
    """What the LSTM holds after each word, [words, units].

    The same as `lstm(words, initial_state=state)` of rows, to rounding.

    Args:
        lstm: built, with the default activations.
        words: vectors [words, size].
        text: which words they are.
        state: hidden and cell values to begin with, [rows, units] each; None for zeros.
    """
    if text.padded or cudnn_allowed():
        # Keras takes cuDNN's wherever there is a GPU, for exports and XLA too.
        lstm.use_cudnn = "auto" if cudnn_allowed() else False
        hidden = lstm(text.unpack(words), initial_state=state)
        return tf.ensure_shape(text.pack(hidden), [None, lstm.units])
    kernel, recurrent, bias = (tf.cast(w.value, words.dtype) for w in lstm.weights)
    gates = tf.matmul(words, kernel) + bias
    own = native_ops(gates)
    if own:
        return run_in_cpp(own, gates, text.lengths, recurrent, state)
    return run_packed(gates, text.lengths, recurrent, state)


def run_packed(
    gates: tf.Tensor, lengths: tf.Tensor, recurrent: tf.Tensor, state: State | None
) -> tf.Tensor:
    """Hidden values [words, units] of gates [words, 4 * units], before recurrence.

    Args:
        lengths: of rows, int32 [rows].
    """
    order = tf.argsort(lengths, direction="DESCENDING", stable=True)
    there = tf.transpose(tf.sequence_mask(tf.gather(lengths, order)))
    places = tf.where(there)  # (position, row in the order), position by position
    starts = tf.gather(tf.cumsum(lengths, exclusive=True), order)
    word = tf.gather(starts, places[:, 1]) + tf.cast(places[:, 0], tf.int32)
    counts = tf.math.count_nonzero(there, 1, dtype=tf.int32)
    zeros = tf.zeros([tf.size(lengths), recurrent.shape[0]], gates.dtype)
    state = [tf.gather(part, order) for part in state or [zeros, zeros]]
    hidden = run(tf.gather(gates, word), counts, recurrent, state)
    return tf.gather(hidden, tf.math.invert_permutation(word))


def run(
    gates: tf.Tensor, counts: tf.Tensor, recurrent: tf.Tensor, state: State
) -> tf.Tensor:
    """As `run_packed`, of words position by position: `counts` int32 at each."""
    length, units = tf.size(counts), recurrent.shape[0]
    unlike = {"infer_shape": False, "dtype": gates.dtype}
    given = tf.TensorArray(size=length, element_shape=[None, 4 * units], **unlike)
    given = given.split(gates, counts)
    found = tf.TensorArray(size=length, element_shape=[None, units], **unlike)

    def step(position, hidden, cell, found):
        here = given.read(position)
        count = tf.shape(here)[0]
        here += tf.matmul(hidden[:count], recurrent)
        enter, keep, new, leave = tf.split(here, 4, 1)
        cell = tf.sigmoid(keep) * cell[:count] + tf.sigmoid(enter) * tf.tanh(new)
        hidden = tf.sigmoid(leave) * tf.tanh(cell)
        return position + 1, hidden, cell, found.write(position, hidden)

    shrinking = tf.TensorShape([None, units])
    *_, found = tf.while_loop(
        lambda position, *_: position < length,
        step,
        (tf.constant(0), *state, found),
        (tf.TensorShape([]), shrinking, shrinking, tf.TensorShape(None)),
        parallel_iterations=1,
        maximum_iterations=length,
    )
    return tf.ensure_shape(found.concat(), [None, units])


def run_in_cpp(
    own: ModuleType,
    gates: tf.Tensor,
    lengths: tf.Tensor,
    recurrent: tf.Tensor,
    state: State | None,
) -> tf.Tensor:
    """The same by one operation of our own, which multiplies nothing by zeros."""

    @tf.custom_gradient
    def hidden(gates, recurrent, *state):
        none = tf.zeros([0, recurrent.shape[0]])
        first_hidden, first_cell = state or (none, none)
        found, cell, opened = own.tfcap_lstm(
            gates, lengths, recurrent, first_hidden, first_cell
        )

        def gradient(upstream):
            known = [first_hidden, first_cell, found, cell]
            of_gates, before, *of_state = own.tfcap_lstm_gradient(
                opened, lengths, recurrent, *known, upstream
            )
            of_recurrent = tf.matmul(before, of_gates, transpose_a=True)
            return (of_gates, of_recurrent, *(of_state if state else ()))

        return found, gradient

    return hidden(gates, recurrent, *state or ())
