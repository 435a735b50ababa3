"""A photo and its mirror image."""

import numpy as np
import pytest
import tensorflow as tf
from table_model import WORDS, TableModel
from test_searches import run, settings

from records.errors import UserError
from tfcap.decoding import search
from tfcap.decoding.beam import beam_search

MIRROR = settings(3).model_copy(update={"mirror": True})


class CornerModel(TableModel):
    """Takes the value in a grid's upper left corner for the photo's number."""

    def encode(self, features):
        return super().encode(tf.cast(features[:, 0, 0, 0], tf.int32))


def grids(left: int, right: int) -> tf.Tensor:
    """One photo's, float32 [1, 2, 2, 1]."""
    return tf.reshape(tf.constant([left, right, 0, 0], tf.float32), [1, 2, 2, 1])


def test_probabilities_are_the_mean_of_both():
    model, mean = CornerModel(photos=2, seed=1), TableModel(photos=1, seed=1)
    seen = tf.nn.softmax(model.table)
    mean.table = tf.math.log(tf.reduce_mean(seen, 0, keepdims=True))
    found = search(model, grids(0, 1), MIRROR, WORDS)
    expected = run(beam_search, mean, 1, settings(3))
    np.testing.assert_array_equal(found.tokens, expected.tokens)
    np.testing.assert_allclose(found.score, expected.score, rtol=1e-4)


def test_a_mirror_needs_a_grid():
    with pytest.raises(UserError, match=r"decoding.mirror needs .*these are \[\]"):
        search(TableModel(photos=2, seed=1), tf.range(2), MIRROR, WORDS)
