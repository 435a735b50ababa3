"""From captions to rows, by TensorFlow's operations and by our own."""

import numpy as np
import pytest
import tensorflow as tf

from tfcap.expansions import expand_causal, expand_prefixes
from tfcap.record_readers import pad

# Photo 0: "a dog" and "dog"; photo 1: "a cat runs".
IDS = tf.ragged.constant([[[1, 5, 7, 2], [1, 7, 2]], [[1, 5, 8, 6, 2]]], dtype=tf.int64)


@pytest.fixture
def expand_compiled(own_operations):
    _, expanding = own_operations
    return lambda *captions: expanding.tfcap_expand_prefixes(*captions)._asdict()


@pytest.fixture(params=["TensorFlow", "compiled"])
def prefixes(request):
    """`expand_prefixes` and the operation that does the same."""
    if request.param == "TensorFlow":
        return expand_prefixes
    return request.getfixturevalue("expand_compiled")


@pytest.fixture(params=["prefix", "prefix, compiled", "causal"])
def expand(request):
    """Every expansion there is."""
    if "compiled" in request.param:
        return request.getfixturevalue("expand_compiled")
    return {"prefix": expand_prefixes, "causal": expand_causal}[request.param]


def test_prefixes_of_a_hand_written_example(prefixes):
    batch = prefixes(*pad(IDS))
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
    batch = expand_causal(*pad(IDS))
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


def test_expansions_are_the_same_inside_map(expand):
    captions = pad(IDS)
    inside = next(iter(tf.data.Dataset.from_tensors(captions).map(expand)))
    for name, value in expand(*captions).items():
        np.testing.assert_array_equal(value, inside[name])


def test_no_photo_gives_no_row(expand):
    batch = expand(*pad(IDS[:0]))
    assert batch["photo"].shape == [0]
    assert batch["prefix"].shape[0] == 0


def test_our_own_rows_are_tensorflows(expand_compiled):
    random = np.random.default_rng(0)
    for _ in range(20):
        lengths = random.integers(0, 9, random.integers(0, 6))
        captions = [[1, *random.integers(3, 9, n), 2] for n in lengths]
        given = pad(tf.ragged.constant([captions], tf.int64, ragged_rank=2))
        ours, theirs = expand_compiled(*given), expand_prefixes(*given)
        for name, value in theirs.items():
            np.testing.assert_array_equal(ours[name], value, strict=True)


def test_a_photo_for_each_caption_is_needed(expand_compiled):
    with pytest.raises(tf.errors.InvalidArgumentError, match="for each caption"):
        expand_compiled(tf.zeros([3], tf.int32), tf.zeros([2, 4], tf.int32))
