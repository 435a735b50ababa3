"""An LSTM over captions of unlike lengths that spends nothing on their padding.

Rows are sorted, the longest first: at each position those that are still there stand at
the top, and the others are cut off. Words are multiplied by their weights all at once.
A row of Flickr8k's captions, read in two groups of like length, is a third padding.
"""

import keras
import tensorflow as tf


def read_packed(
    lstm: keras.layers.LSTM,
    words: tf.Tensor,
    lengths: tf.Tensor,
    state: list[tf.Tensor],
) -> tf.Tensor:
    """What the LSTM holds after each word, [n, length, units], 0 at padding.

    The same as `lstm(words, initial_state=state)` elsewhere, to rounding.

    Args:
        lstm: built, with the default activations.
        words: vectors [n, length, size], padded on the right.
        lengths: of the rows, int32 [n].
        state: hidden and cell values to begin with, [n, units] each.
    """
    order = tf.argsort(lengths, direction="DESCENDING", stable=True)
    length = tf.shape(words)[1]
    there = tf.transpose(tf.sequence_mask(tf.gather(lengths, order), length))
    places = tf.where(there)  # (position, row in the order), position by position
    rows = tf.gather(order, places[:, 1])
    index = tf.stack([rows, tf.cast(places[:, 0], tf.int32)], 1)
    kernel, recurrent, bias = (tf.cast(w.value, words.dtype) for w in lstm.weights)
    gates = tf.matmul(tf.gather_nd(words, index), kernel) + bias
    counts = tf.math.count_nonzero(there, 1, dtype=tf.int32)
    state = [tf.gather(part, order) for part in state]
    hidden = run(gates, counts, recurrent, state)
    return tf.scatter_nd(index, hidden, tf.stack([tf.size(order), length, lstm.units]))


def run(
    gates: tf.Tensor, counts: tf.Tensor, recurrent: tf.Tensor, state: list[tf.Tensor]
) -> tf.Tensor:
    """Hidden values [words, units] of gates [words, 4 * units], before recurrence.

    Words come position by position, `counts` int32 [length] of them at each.
    """
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


def can_pack(tokens: tf.Tensor) -> bool:
    """Whether rows of these tokens are to be packed: on a CPU, if of any number.

    A GPU has an LSTM of its own, cuDNN's; XLA needs sizes that do not shrink.
    """
    of_one_size = tokens.shape.is_fully_defined()
    return not of_one_size and not tf.config.list_logical_devices("GPU")
