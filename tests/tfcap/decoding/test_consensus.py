"""The caption that agrees best with the others found."""

import numpy as np
import pytest
import tensorflow as tf

from records.vocabulary import END_ID
from tfcap.cider import CiderD
from tfcap.decoding.captions import NEVER, Captions
from tfcap.decoding.consensus import by_consensus

A, DOG, RUNS, CAT, SLEEPS = range(4, 9)
REFERENCES = [[[A, DOG, RUNS, END_ID]], [[A, CAT, SLEEPS, END_ID]], [[RUNS, END_ID]]]
CIDER = CiderD(REFERENCES, 9)
# Two photos' captions, likeliest first; the odd one of the first photo is first.
ODD, TWIN, OTHER = [CAT, END_ID], [A, DOG, RUNS, END_ID], [A, DOG, SLEEPS, END_ID]


def found(log_probability, captions=(ODD, TWIN, OTHER)) -> Captions:
    rows = [[1, *caption] + [0] * (7 - len(caption)) for caption in captions]
    tokens = tf.constant([rows, rows[::-1]], tf.int32)
    chances = tf.constant([log_probability, log_probability], tf.float32)
    return Captions(tokens, chances, chances)


def first_of(captions: Captions) -> list[list[int]]:
    return [[t for t in row if t > 1] for row in captions.tokens[:, 0].numpy()]


def test_the_caption_that_is_like_the_others_comes_first():
    ordered = by_consensus(found([-1.0, -2.0, -3.0]), CIDER, 0.0)
    assert first_of(ordered) in ([TWIN, TWIN], [OTHER, OTHER], [TWIN, OTHER])
    assert np.all(np.diff(ordered.score, axis=1) <= 0)


def test_the_score_is_the_expected_cider():
    captions = found([-1.0, -2.0, -3.0])
    votes = tf.nn.softmax(0.5 * captions.log_probability[0]).numpy()
    alike = [
        [
            CIDER.score(
                tf.constant([[[*a, 0, 0, 0, 0]]], tf.int32),
                tf.constant([[*b, 0, 0, 0, 0]], tf.int32),
                tf.constant([0]),
            ).numpy()[0, 0]
            for b in (ODD, TWIN, OTHER)
        ]
        for a in (ODD, TWIN, OTHER)
    ]
    expected = sorted(np.array(alike) @ votes, reverse=True)
    ordered = by_consensus(captions, CIDER, 0.5)
    np.testing.assert_allclose(ordered.score[0], expected, rtol=1e-5)


def test_a_caption_that_may_not_be_has_no_vote_and_comes_last():
    captions = found([2 * NEVER, -2.0, -3.0], captions=(TWIN, ODD, OTHER))
    ordered = by_consensus(captions, CIDER, 0.0)
    assert [t for t in ordered.tokens[0, -1].numpy() if t > 1] == TWIN


@pytest.mark.parametrize("weight", [0.0, 10.0])
def test_a_great_weight_leaves_the_likeliest_first(weight):
    captions = found([-1.0, -2.0, -3.0])
    odd = first_of(by_consensus(captions, CIDER, weight))[0] == ODD
    assert odd == (weight == 10.0)
