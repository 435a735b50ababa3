"""From captions to rows."""

import numpy as np
import pytest
import tensorflow as tf

from tfcap.data.expansion import EXPANSIONS, pad

# Photo 0: "a dog" and "dog"; photo 1: "a cat runs".
IDS = tf.ragged.constant([[[1, 5, 7, 2], [1, 7, 2]], [[1, 5, 8, 6, 2]]], dtype=tf.int64)


def test_prefixes_of_a_hand_written_example():
    batch = EXPANSIONS["prefix"](*pad(IDS))
    assert batch["photo"].numpy().tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1]
    assert batch["prefix"].numpy().tolist() == [
        [1, 0, 0, 0],
        [1, 5, 0, 0],
        [1, 5, 7, 0],
        [1, 0, 0, 0],
        [1, 7, 0, 0],
        [1, 0, 0, 0],
        [1, 5, 0, 0],
        [1, 5, 8, 0],
        [1, 5, 8, 6],
    ]
    assert batch["target"].numpy().tolist() == [5, 7, 2, 7, 2, 5, 8, 6, 2]


def test_causal_rows_of_a_hand_written_example():
    batch = EXPANSIONS["causal"](*pad(IDS))
    assert batch["photo"].numpy().tolist() == [0, 0, 1]
    assert batch["prefix"].numpy().tolist() == [
        [1, 5, 7, 0],
        [1, 7, 0, 0],
        [1, 5, 8, 6],
    ]
    assert batch["target"].numpy().tolist() == [
        [5, 7, 2, 0],
        [7, 2, 0, 0],
        [5, 8, 6, 2],
    ]


@pytest.mark.parametrize("name", EXPANSIONS)
def test_expansions_are_the_same_inside_map(name):
    captions, expand = pad(IDS), EXPANSIONS[name]
    inside = next(iter(tf.data.Dataset.from_tensors(captions).map(expand)))
    for column, value in expand(*captions).items():
        np.testing.assert_array_equal(value, inside[column])


@pytest.mark.parametrize("name", EXPANSIONS)
def test_no_photo_gives_no_row(name):
    batch = EXPANSIONS[name](*pad(IDS[:0]))
    assert batch["photo"].shape == [0]
    assert batch["prefix"].shape[0] == 0
