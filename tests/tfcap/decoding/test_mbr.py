"""The caption that agrees best with the others found."""

import numpy as np
import pytest
import tensorflow as tf
from caption_lists import cider_of as cider_of_photos
from caption_lists import ids_of

from records.text.vocabulary import END_ID
from tfcap.config.decoding import RegressionConfig
from tfcap.decoding.expected_ngrams import ExpectedCaptions
from tfcap.decoding.kernel_regression import Regression, View
from tfcap.decoding.mbr import MbrScorer, rerank_by_mbr
from tfcap.decoding.output import MASKED_LOGIT, Captions

A, DOG, RUNS, CAT, SLEEPS = range(4, 9)
REFERENCES = [[[A, DOG, RUNS, END_ID]], [[A, CAT, SLEEPS, END_ID]], [[RUNS, END_ID]]]
CIDER = cider_of_photos(REFERENCES, 9)
PLAIN = MbrScorer(CIDER)
FEATURES = tf.constant([[1.0, 0.0], [0.0, 1.0]])
# Two photos' captions, likeliest first; the odd one of the first photo is first.
ODD, TWIN, OTHER = [CAT, END_ID], [A, DOG, RUNS, END_ID], [A, DOG, SLEEPS, END_ID]


def found(log_probability, captions=(ODD, TWIN, OTHER)) -> Captions:
    rows = [[1, *caption] + [0] * (7 - len(caption)) for caption in captions]
    tokens = tf.constant([rows, rows[::-1]], tf.int32)
    chances = tf.constant([log_probability, log_probability], tf.float32)
    return Captions(tokens, chances, chances)


def first_of(captions: Captions) -> list[list[int]]:
    return [[t for t in row if t > 1] for row in captions.tokens[:, 0].numpy()]


def cider_of(caption, reference) -> float:
    padded = [
        tf.constant([[*ids, 0, 0, 0, 0]], tf.int32) for ids in (caption, reference)
    ]
    return CIDER.score(padded[0][tf.newaxis], padded[1], tf.constant([0])).numpy()[0, 0]


def test_the_caption_that_is_like_the_others_comes_first():
    ordered = rerank_by_mbr(found([-1.0, -2.0, -3.0]), FEATURES, PLAIN, 0.0)
    assert first_of(ordered) in ([TWIN, TWIN], [OTHER, OTHER], [TWIN, OTHER])
    assert np.all(np.diff(ordered.score, axis=1) <= 0)


def test_the_score_is_the_expected_cider():
    captions = found([-1.0, -2.0, -3.0])
    votes = tf.nn.softmax(0.5 * captions.log_probability[0]).numpy()
    three = ODD, TWIN, OTHER
    alike = np.array([[cider_of(a, b) for b in three] for a in three])
    expected = sorted(alike @ votes, reverse=True)
    ordered = rerank_by_mbr(captions, FEATURES, PLAIN, 0.5)
    np.testing.assert_allclose(ordered.score[0], expected, rtol=1e-5)


def test_a_caption_that_may_not_be_has_no_vote_and_comes_last():
    captions = found([2 * MASKED_LOGIT, -2.0, -3.0], captions=(TWIN, ODD, OTHER))
    ordered = rerank_by_mbr(captions, FEATURES, PLAIN, 0.0)
    assert [t for t in ordered.tokens[0, -1].numpy() if t > 1] == TWIN


@pytest.mark.parametrize("weight", [0.0, 10.0])
def test_a_great_weight_leaves_the_likeliest_first(weight):
    captions = found([-1.0, -2.0, -3.0])
    ordered = rerank_by_mbr(captions, FEATURES, PLAIN, weight)
    odd = first_of(ordered)[0] == ODD
    assert odd == (weight == 10.0)


def told(captions, **settings) -> MbrScorer:
    """Two training photos: the first is like the first photo, the second the second."""
    view = View.of(np.array([[1.0, 0.0], [0.0, 1.0]], np.float32))
    regression = Regression.of_views(
        {0: view}, RegressionConfig(ridge=1e-6, **settings)
    )
    return MbrScorer(
        CIDER, ExpectedCaptions.of_captions(ids_of(captions), CIDER, regression)
    )


def test_what_people_would_write_comes_first():
    mbr_scorer = told([[ODD], [OTHER, OTHER]])
    ordered = rerank_by_mbr(found([-1.0, -1.0, -1.0]), FEATURES, mbr_scorer, 0.0)
    assert first_of(ordered) == [ODD, OTHER]


def test_a_graph_takes_each_table_once_and_holds_none():
    rng = np.random.default_rng(0)
    photos = [[rng.integers(3, 30, 12).tolist()] * 2 for _ in range(300)]
    cider = cider_of_photos(photos, 30)
    view = View.of(rng.normal(size=[300, 2]).astype(np.float32))
    regression = Regression.of_views({0: view}, RegressionConfig())
    expected_references = ExpectedCaptions.of_captions(
        ids_of(photos), cider, regression
    )
    mbr_scorer = MbrScorer(cider, expected_references)

    @tf.function(autograph=False)
    def order(features):
        return rerank_by_mbr(
            found([-1.0, -2.0, -3.0]), features, mbr_scorer, 0.1
        ).tokens

    traced = order.get_concrete_function(FEATURES)
    taken = [id(tensor) for tensor in traced.captured_inputs]
    large = [t for t in tf.nest.flatten(mbr_scorer, True) if tf.size(t) > 128]
    assert len(large) > 15
    assert [taken.count(id(tensor)) for tensor in large] == [1] * len(large)
    graph = traced.graph.as_graph_def()
    inner = [node for function in graph.library.function for node in function.node_def]
    for node in [*graph.node, *inner]:
        shape = tf.TensorShape(node.attr["value"].tensor.tensor_shape)
        assert node.op != "Const" or shape.num_elements() <= 128


def test_with_no_weight_to_speak_of_it_changes_nothing():
    mbr_scorer, captions = told([[ODD], [ODD]], weight=1e-6), found([-1.0, -2.0, -3.0])
    with_it = rerank_by_mbr(captions, FEATURES, mbr_scorer, 0.5)
    alone = rerank_by_mbr(captions, FEATURES, PLAIN, 0.5)
    np.testing.assert_array_equal(with_it.tokens, alone.tokens)
    np.testing.assert_allclose(with_it.score, alone.score, rtol=1e-4)


def test_the_score_is_of_both():
    mbr_scorer = told([[TWIN], [TWIN]], weight=3.0)
    ordered = rerank_by_mbr(found([-1.0, -1.0, -1.0]), FEATURES, mbr_scorer, 0.0)
    expected = sorted(map(scored_by_hand, (ODD, TWIN, OTHER)), reverse=True)
    np.testing.assert_allclose(ordered.score[0], expected, rtol=1e-4)


def scored_by_hand(caption) -> float:
    """Its CIDEr-D with the three found, and with TWIN three times as much."""
    own = np.mean([cider_of(caption, other) for other in (ODD, TWIN, OTHER)])
    return (own + 3 * cider_of(caption, TWIN)) / 4
