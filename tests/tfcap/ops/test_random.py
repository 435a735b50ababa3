"""Seeds of photos and rows, and the numbers drawn from them."""

import numpy as np
import tensorflow as tf

from tfcap.ops.random import first_seed, fold_in, row_seeds, uniform

SEEDS = fold_in(first_seed(7), tf.range(200))


def test_rows_have_seeds_of_their_own_wherever_they_stand():
    photos = SEEDS[:3]
    rows = row_seeds(photos, tf.constant([0, 0, 2, 2, 2])).numpy()
    assert len(set(rows)) == 5
    # The second photo's rows without the first, and padding that says photo 0.
    alone = row_seeds(photos[2:], tf.constant([0, 0, 0])).numpy()
    padded = row_seeds(photos, tf.constant([0, 0, 2, 2, 2, 0, 0])).numpy()
    assert alone.tolist() == rows[2:].tolist()
    assert padded[:5].tolist() == rows.tolist()


def test_uniform_numbers():
    numbers = uniform(fold_in(SEEDS[:, tf.newaxis], tf.range(100))).numpy()
    assert numbers.dtype == np.float32
    assert 0 <= numbers.min() < 0.001 and 0.999 < numbers.max() < 1
    share = np.histogram(numbers, 20, (0, 1))[0] / numbers.size
    np.testing.assert_allclose(share, 0.05, atol=0.008)


def test_any_integer_is_a_seed():
    assert len({int(first_seed(seed)) for seed in (0, -1, 1, 2**31, 2**32 + 2)}) == 5
