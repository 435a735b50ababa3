"""Rows without their padding against the layer that reads it as well."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfcap.models.layers.packed_lstm import read_words
from tfcap.ops.dispatch import kernels_for, native_ops
from tfcap.ops.packed_tokens import PackedTokens

TOKENS = tf.constant(
    [[1, 5, 7, 0, 0, 0], [1, 2, 3, 4, 5, 6], [1, 0, 0, 0, 0, 0], [1, 4, 2, 0, 0, 0]]
)


@pytest.fixture
def lstm():
    keras.utils.set_random_seed(0)
    layer = keras.layers.LSTM(5, return_sequences=True)
    layer.build([None, None, 4])
    layer.cell.bias.assign(tf.range(20) / 20)
    return layer


@pytest.fixture(params=["TensorFlow", "compiled"])
def native(request):
    """Whether our own operations are used."""
    if request.param == "compiled":
        request.getfixturevalue("step_operations")
    return request.param == "compiled"


def inputs(rows=4):
    words = tf.random.stateless_normal([4, 6, 4], [1, 2])[:rows]
    state = [tf.random.stateless_normal([4, 5], [3, n])[:rows] for n in range(2)]
    return words, TOKENS[:rows], state


def outputs_and_gradients(lstm, make_text, words, tokens, state, native=False):
    """Of what is not padding; gradients of weights, state and words."""

    @tf.function
    def compute(words, tokens, state):
        weights = [weight.value for weight in lstm.weights]
        text = make_text(tokens)
        with kernels_for("CPU" if native else None), tf.GradientTape() as tape:
            tape.watch([words, *state])
            hidden = read_words(lstm, text.pack(words), text, state or None)
            hidden = tf.boolean_mask(hidden, text.tokens > 0)
            loss = tf.reduce_sum(hidden**2)
        gradients = tape.gradient(loss, [*weights, *state, words])
        return hidden, [tf.convert_to_tensor(gradient) for gradient in gradients]

    return compute(words, tokens, state)


@pytest.mark.parametrize("begun", [False, True])
def test_values_and_gradients_are_those_of_the_layer(lstm, native, begun):
    words, tokens, state = inputs()
    given = words, tokens, state if begun else []
    expected, its_own = outputs_and_gradients(lstm, PackedTokens.with_padding, *given)
    found, gradients = outputs_and_gradients(
        lstm, PackedTokens.without_padding, *given, native=native
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    for one, other in zip(gradients, its_own, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_rows_of_no_word_and_no_row_at_all_have_no_value(lstm, native):
    words, whole, state = inputs()
    for tokens in (whole * [[1], [0], [1], [0]], whole[:0]):
        given = words[: len(tokens)], tokens, [part[: len(tokens)] for part in state]
        found, gradients = outputs_and_gradients(
            lstm, PackedTokens.without_padding, *given, native=native
        )
        assert len(found) == np.count_nonzero(tokens)
        for gradient in gradients[3:]:  # of the state and the words
            assert gradient.shape[0] == len(tokens)
            assert not gradient.numpy()[1::2].any()


def test_ours_are_used_where_allowed_alone(step_operations):
    def found(*values):
        return [native_ops(tf.zeros([1], dtype)) for dtype in values]

    assert found(tf.float32) == [None]
    with kernels_for("CPU"):
        assert found(tf.float32, tf.bfloat16) == [step_operations, None]
        with kernels_for(None):
            assert found(tf.float32) == [None]
