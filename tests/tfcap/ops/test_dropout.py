"""Masks: as random as they must be, and of a row alone."""

import numpy as np
import pytest
import tensorflow as tf

from tfcap.ops.dropout import dropout
from tfcap.ops.random import first_seed, fold_in

SEEDS = fold_in(first_seed(7), tf.range(200))


def test_dropout_is_a_function_of_seed_and_site():
    ones = tf.ones([200, 51])
    first = dropout(ones, 0.5, SEEDS, 0)
    np.testing.assert_array_equal(first, dropout(ones, 0.5, SEEDS, 0))
    assert set(np.unique(first)) == {0.0, 2.0}
    for other in (dropout(ones, 0.5, SEEDS, 1), dropout(ones, 0.5, SEEDS + 1, 0)):
        assert np.mean(first.numpy() != other.numpy()) == pytest.approx(0.5, abs=0.03)
    assert dropout(ones, 0.5, None, 0) is ones
    assert dropout(ones, 0.0, SEEDS, 0) is ones


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_values_keep_their_dtype_and_their_mean(dtype):
    dropped = dropout(tf.ones([200, 7, 30], dtype), 0.3, SEEDS, 3)
    assert dropped.dtype == dtype
    assert np.mean(np.float32(dropped)) == pytest.approx(1, abs=0.02)


def test_what_is_dropped_is_drawn_independently():
    kept = dropout(tf.ones([200, 400]), 0.25, SEEDS, 0).numpy() > 0
    assert kept.mean() == pytest.approx(0.75, abs=0.01)
    for axis, count in ((0, 200), (1, 400)):
        spread = kept.mean(axis).std() / np.sqrt(0.25 * 0.75 / count)
        assert spread == pytest.approx(1, abs=0.2)
    signs = (kept - 0.75) / np.sqrt(0.25 * 0.75)
    for one, other in (
        (signs[:, :-1], signs[:, 1:]),
        (signs[:, :-2], signs[:, 2:]),
        (signs[:-1], signs[1:]),
    ):
        assert abs(np.mean(one * other)) * np.sqrt(one.size) < 4


def test_a_row_drops_the_same_alone_and_however_it_is_padded():
    values = tf.random.stateless_uniform([200, 9, 5], [1, 2])
    whole = dropout(values, 0.4, SEEDS, 2)
    cut = dropout(values[60:90, :4], 0.4, SEEDS[60:90], 2)
    np.testing.assert_array_equal(cut, whole[60:90, :4])
    assert dropout(values[:0], 0.4, SEEDS[:0], 2).shape == [0, 9, 5]
