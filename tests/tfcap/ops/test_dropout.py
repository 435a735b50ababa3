"""Masks: as random as they must be, and of a row alone."""

import numpy as np
import pytest
import tensorflow as tf

from tfcap.ops.dropout import (
    dropout,
    first_seed,
    fold_in,
    place_seeds,
    row_seeds,
    uniform,
)

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


def test_rows_and_places_have_seeds_of_their_own_wherever_they_stand():
    photos = SEEDS[:3]
    rows = row_seeds(photos, tf.constant([0, 0, 2, 2, 2])).numpy()
    assert len(set(rows)) == 5
    # The second photo's rows without the first, and padding that says photo 0.
    alone = row_seeds(photos[2:], tf.constant([0, 0, 0])).numpy()
    padded = row_seeds(photos, tf.constant([0, 0, 2, 2, 2, 0, 0])).numpy()
    assert alone.tolist() == rows[2:].tolist()
    assert padded[:5].tolist() == rows.tolist()
    places = place_seeds(rows, tf.constant([[1, 0], [1, 1], [4, 0]])).numpy()
    assert len({*places, *rows}) == 8
    assert place_seeds(None, places) is None


def test_uniform_numbers():
    numbers = uniform(fold_in(SEEDS[:, tf.newaxis], tf.range(100))).numpy()
    assert numbers.dtype == np.float32
    assert 0 <= numbers.min() < 0.001 and 0.999 < numbers.max() < 1
    share = np.histogram(numbers, 20, (0, 1))[0] / numbers.size
    np.testing.assert_allclose(share, 0.05, atol=0.008)


def test_any_integer_is_a_seed():
    assert len({int(first_seed(seed)) for seed in (0, -1, 1, 2**31, 2**32 + 2)}) == 5
