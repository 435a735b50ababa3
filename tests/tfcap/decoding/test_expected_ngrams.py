"""Captions scored against what people would write."""

import numpy as np
import pytest
import tensorflow as tf
from caption_lists import cider_of, ids_of, pad

from records.text.vocabulary import END_ID
from tfcap.config.decoding import RegressionConfig
from tfcap.decoding import expected_ngrams
from tfcap.decoding.expected_ngrams import ExpectedCaptions, similarity
from tfcap.decoding.kernel_regression import Regression, View
from tfcap.metrics.cider import CiderD

VOCABULARY = 9
PHOTOS = np.array([[3.0, 1.0], [1.0, 3.0], [-3.0, 1.0]], np.float32)


def captions_of(rng, count: int) -> list[list[int]]:
    """Each word once, as CIDEr-D cuts those that come oftener."""
    lengths = rng.integers(1, VOCABULARY - 3, count)
    return [[*rng.permutation(range(3, VOCABULARY))[:n], END_ID] for n in lengths]


@pytest.fixture
def training() -> list[list[list[int]]]:
    rng = np.random.default_rng(0)
    return [captions_of(rng, count) for count in (3, 1, 5)]


@pytest.fixture
def cider(training) -> CiderD:
    return cider_of(training, VOCABULARY)


@pytest.fixture
def expected_references(training, cider) -> ExpectedCaptions:
    regression = Regression.of_views({0: View.of(PHOTOS)}, RegressionConfig())
    return ExpectedCaptions.of_captions(ids_of(training), cider, regression)


def padded(captions) -> tf.Tensor:
    return tf.constant(pad(captions), tf.int32)


def test_it_is_cider_d_with_each_training_photo_but_for_the_length(
    training, expected_references, cider, monkeypatch
):
    for module in ("tfcap.metrics.cider", expected_ngrams.__name__):
        monkeypatch.setattr(f"{module}.length_penalty", lambda *_: 1.0)
    asked = padded(captions_of(np.random.default_rng(1), 6))
    weights = tf.constant([0.9, -0.3, 0.4])
    each = [
        cider.score(asked[tf.newaxis], padded(own), tf.zeros(len(own), tf.int32))
        for own in training
    ]
    expected = tf.tensordot(weights, tf.concat(each, 0), 1)
    np.testing.assert_allclose(
        expected_references.score(asked, weights, cider), expected, rtol=1e-4
    )


def test_the_length_to_be_expected_is_the_mean(training, expected_references, cider):
    words = [np.mean([len(caption) - 1 for caption in own]) for own in training]
    np.testing.assert_allclose(expected_references.lengths, words, rtol=1e-6)
    asked = padded(captions_of(np.random.default_rng(3), 6))
    alone = expected_references.score(asked, tf.constant([0.0, 1.0, 0.0]), cider)
    theirs = cider.score(asked[tf.newaxis], padded(training[1]), tf.zeros(1, tf.int32))
    np.testing.assert_allclose(alone, theirs[0], rtol=1e-4)


def test_captions_are_taken_apart_a_few_at_a_time(
    training, expected_references, cider, monkeypatch
):
    monkeypatch.setattr(expected_ngrams, "AT_ONCE", 2)
    again = ExpectedCaptions.of_captions(
        ids_of(training), cider, expected_references.regression
    )
    for own, other in zip(
        tf.nest.flatten(expected_references, True), tf.nest.flatten(again, True)
    ):
        np.testing.assert_array_equal(own, other)
    for table in expected_references.tables:
        assert len(table.index) and np.all(np.diff(table.index) >= 0)


def test_an_n_gram_that_nobody_wrote_adds_nothing(expected_references, cider):
    weights = tf.constant([0.0, 1.0, 0.0])
    strange = [[END_ID, END_ID, END_ID]]
    table = expected_references.tables[1]
    assert not np.isin(END_ID * VOCABULARY + END_ID, table.ngrams)
    assert similarity(padded(strange), weights, table, cider, 2)[0] == 0


def test_of_a_batch_each_photo_has_its_own_weights(expected_references, cider):
    asked = padded(captions_of(np.random.default_rng(2), 4))
    both = expected_references.scores(
        tf.stack([asked, asked]), tf.constant(PHOTOS[:2]), cider
    )
    weights = expected_references.regression.weights(tf.constant(PHOTOS[:2]))
    for found, own in zip(both, weights):
        np.testing.assert_allclose(
            found, expected_references.score(asked, own, cider), rtol=1e-5
        )
    assert np.abs(both[0] - both[1]).max() > 0.1
