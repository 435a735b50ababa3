"""An LSTM over captions of different lengths that spends nothing on their padding."""

import keras
import tensorflow as tf

from tfcap.ops.dispatch import cudnn_allowed
from tfcap.ops.lstm import State, packed_lstm
from tfcap.ops.packed_tokens import PackedTokens


def zero_state(lstm: keras.layers.LSTM, rows: tf.Tensor) -> State:
    """Returns the hidden and cell values before the first token, [rows, units] each."""
    zeros = tf.zeros([rows, lstm.units], lstm.compute_dtype)
    return [zeros, zeros]


def read_words(
    lstm: keras.layers.LSTM,
    words: tf.Tensor,
    text: PackedTokens,
    state: State | None = None,
) -> tf.Tensor:
    """Runs the LSTM over packed tokens.

    Equals `lstm(rows, initial_state=state)` of padded rows, to rounding.

    Args:
        lstm: built, with the default activations.
        words: vectors of the tokens, [tokens, size].
        text: the tokens.
        state: initial hidden and cell values, [rows, units] each; None for zeros.

    Returns:
        The hidden values after each token, [tokens, units].
    """
    if text.padded or cudnn_allowed():
        # By default Keras uses cuDNN wherever there is a GPU, for exports and XLA too.
        lstm.use_cudnn = "auto" if cudnn_allowed() else False
        hidden = lstm(text.unpack(words), initial_state=state)
        return tf.ensure_shape(text.pack(hidden), [None, lstm.units])
    kernel, recurrent, bias = (tf.cast(w.value, words.dtype) for w in lstm.weights)
    gates = tf.matmul(words, kernel) + bias
    return packed_lstm(gates, text.lengths, recurrent, state)
