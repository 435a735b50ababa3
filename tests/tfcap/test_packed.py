"""Packed rows against the layer that reads their padding as well."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcap.models.packed import can_pack, read_packed

LENGTHS = tf.constant([3, 6, 1, 3])


@pytest.fixture
def lstm():
    keras.utils.set_random_seed(0)
    layer = keras.layers.LSTM(5, return_sequences=True)
    layer.build([None, None, 4])
    layer.cell.bias.assign(tf.range(20) / 20)
    return layer


def inputs(rows=4):
    words = tf.random.stateless_normal([4, 6, 4], [1, 2])[:rows]
    state = [tf.random.stateless_normal([4, 5], [3, n])[:rows] for n in range(2)]
    return words, LENGTHS[:rows], state


def outputs_and_gradients(read, lstm, words, lengths, state):
    """Of what is not padding."""

    @tf.function(reduce_retracing=True)
    def compute(words, lengths, state):
        weights = [weight.value for weight in lstm.weights]
        there = tf.sequence_mask(lengths, tf.shape(words)[1])
        with tf.GradientTape() as tape:
            tape.watch([words, *state])
            hidden = tf.boolean_mask(read(words, lengths, state), there)
            loss = tf.reduce_sum(hidden**2)
        gradients = tape.gradient(loss, [*weights, *state, words])
        return hidden, [tf.convert_to_tensor(gradient) for gradient in gradients]

    return compute(words, lengths, state)


def test_values_and_gradients_are_those_of_the_layer(lstm):
    def plain(words, lengths, state):
        return lstm(words, initial_state=state)

    def packed(*args):
        return read_packed(lstm, *args)

    expected, its_gradients = outputs_and_gradients(plain, lstm, *inputs())
    found, gradients = outputs_and_gradients(packed, lstm, *inputs())
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    for one, other in zip(gradients, its_gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_padding_gives_0_and_no_row_gives_none(lstm):
    hidden = read_packed(lstm, *inputs())
    assert hidden.shape == [4, 6, 5]
    assert not hidden[2, 1:].numpy().any() and hidden[1].numpy().all()
    assert read_packed(lstm, *inputs(rows=0)).shape == [0, 6, 5]


def test_batches_of_one_size_are_not_packed():
    packs = []

    def trace(*shape):
        spec = tf.TensorSpec(shape, tf.int32)
        tf.function(
            lambda tokens: packs.append(can_pack(tokens))
        ).get_concrete_function(spec)

    trace(None, None)
    trace(3, 4)
    assert packs == [not tf.config.list_logical_devices("GPU"), False]
