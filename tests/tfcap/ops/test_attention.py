"""Rows of a photo are put side by side for attention to its cells."""

import tensorflow as tf

from tfcap.ops.attention import places


def test_rows_of_a_photo_get_places_side_by_side():
    place, most = places(tf.constant([0, 2, 2, 0, 2]))
    assert place.numpy().tolist() == [[0, 0], [2, 0], [2, 1], [0, 1], [2, 2]]
    assert int(most) == 3
    place, most = places(tf.zeros([0], tf.int32))
    assert place.shape == [0, 2] and int(most) == 0
