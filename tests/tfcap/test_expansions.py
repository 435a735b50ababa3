"""From captions to rows, by TensorFlow's operations and by our own."""

import numpy as np
import pytest
import tensorflow as tf

from tfcap.expansions import EXPANSIONS
from tfcap.record_readers import pad

# Photo 0: "a dog" and "dog"; photo 1: "a cat runs".
IDS = tf.ragged.constant([[[1, 5, 7, 2], [1, 7, 2]], [[1, 5, 8, 6, 2]]], dtype=tf.int64)


@pytest.fixture(params=["TensorFlow", "compiled"])
def expansions(request):
    """`EXPANSIONS`, and the operations that do the same."""
    if request.param == "TensorFlow":
        return EXPANSIONS
    return request.getfixturevalue("own_expansions")


@pytest.fixture
def own_expansions(own_operations):
    _, ours = own_operations
    return {
        "prefix": lambda *captions: ours.tfcap_expand_prefixes(*captions)._asdict(),
        "causal": lambda *captions: ours.tfcap_expand_causal(*captions)._asdict(),
    }


def test_prefixes_of_a_hand_written_example(expansions):
    batch = expansions["prefix"](*pad(IDS))
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


def test_causal_rows_of_a_hand_written_example(expansions):
    batch = expansions["causal"](*pad(IDS))
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
def test_expansions_are_the_same_inside_map(expansions, name):
    captions, expand = pad(IDS), expansions[name]
    inside = next(iter(tf.data.Dataset.from_tensors(captions).map(expand)))
    for column, value in expand(*captions).items():
        np.testing.assert_array_equal(value, inside[column])


@pytest.mark.parametrize("name", EXPANSIONS)
def test_no_photo_gives_no_row(expansions, name):
    batch = expansions[name](*pad(IDS[:0]))
    assert batch["photo"].shape == [0]
    assert batch["prefix"].shape[0] == 0


@pytest.mark.parametrize("name", EXPANSIONS)
def test_our_own_rows_are_tensorflows(own_expansions, name):
    random = np.random.default_rng(0)
    for _ in range(20):
        lengths = random.integers(0, 9, random.integers(0, 6))
        captions = [[1, *random.integers(3, 9, n), 2] for n in lengths]
        given = pad(tf.ragged.constant([captions], tf.int64, ragged_rank=2))
        ours, theirs = own_expansions[name](*given), EXPANSIONS[name](*given)
        for column, value in theirs.items():
            np.testing.assert_array_equal(ours[column], value, strict=True)


@pytest.mark.parametrize("name", EXPANSIONS)
def test_a_photo_for_each_caption_is_needed(own_expansions, name):
    for photos, tokens in (([3], [2, 4]), ([2], [2, 0]), ([2, 4], [2, 4]), ([2], [2])):
        with pytest.raises(tf.errors.InvalidArgumentError, match="for each caption"):
            own_expansions[name](tf.zeros(photos, tf.int32), tf.zeros(tokens, tf.int32))
