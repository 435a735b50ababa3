"""Words of rows, with their padding and without."""

import numpy as np
import pytest
import tensorflow as tf

from tfcap.ops.packed_tokens import PackedTokens
from tfcap.ops.random import fold_in

TOKENS = tf.constant([[1, 5, 7, 0], [1, 2, 3, 4], [1, 0, 0, 0]])


def test_words_are_those_that_are_no_padding():
    text = PackedTokens.without_padding(TOKENS)
    assert text.tokens.numpy().tolist() == [1, 5, 7, 1, 2, 3, 4, 1]
    assert text.row.numpy().tolist() == [0, 0, 0, 1, 1, 1, 1, 2]
    assert text.position.numpy().tolist() == [0, 1, 2, 0, 1, 2, 3, 0]
    assert text.lengths.numpy().tolist() == [3, 4, 1]


@pytest.mark.parametrize(
    "make", [PackedTokens.with_padding, PackedTokens.without_padding]
)
def test_words_become_rows_and_words_again(make):
    text = make(TOKENS)
    assert text.unpack(text.tokens).numpy().tolist() == TOKENS.numpy().tolist()
    vectors = tf.random.stateless_normal([3, 4, 2], [1, 2])
    there = TOKENS.numpy()[:, :, None] > 0
    again = text.unpack(text.pack(vectors)).numpy()
    np.testing.assert_array_equal(again * there, vectors * there)


@pytest.mark.parametrize(
    "make", [PackedTokens.with_padding, PackedTokens.without_padding]
)
def test_the_last_word_of_a_row_is_found(make):
    text = make(TOKENS)
    assert tf.gather(text.tokens, text.last).numpy().tolist() == [7, 4, 1]


def test_padding_stays_where_sizes_are_known_before():
    padded = []

    def trace(*shape):
        spec = tf.TensorSpec(shape, tf.int32)
        tf.function(
            lambda tokens: padded.append(PackedTokens.of(tokens).padded)
        ).get_concrete_function(spec)

    trace(None, None)
    trace(3, None)
    trace(3, 4)
    assert padded == [False, False, True]


def test_a_words_seed_is_that_of_its_row_and_position():
    rows = tf.constant([7, 8, 9])
    seeds = PackedTokens.without_padding(TOKENS).seeds(rows)
    padded = PackedTokens.with_padding(TOKENS).seeds(rows)
    np.testing.assert_array_equal(
        seeds, tf.boolean_mask(padded, TOKENS.numpy().ravel() > 0)
    )
    assert int(seeds[5]) == int(fold_in(8, 2))
    assert len({*seeds.numpy(), *rows.numpy()}) == 8 + 3
    assert PackedTokens.of(TOKENS).seeds(None) is None


def test_no_row_has_no_word():
    text = PackedTokens.without_padding(tf.zeros([0, 4], tf.int32))
    assert text.tokens.shape == [0] and text.last.shape == [0]
    assert text.unpack(tf.zeros([0, 5])).shape == [0, 4, 5]
