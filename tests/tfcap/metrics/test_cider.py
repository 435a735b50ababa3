"""CIDEr-D in graph against coco-caption's."""

import numpy as np
import pytest
import tensorflow as tf
from caption_lists import cider_of, pad
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.cider.cider_scorer import CiderScorer

SIZE = 9


def caption(rng) -> list[int]:
    """Few words, so that n-grams repeat within and between captions; 2 ends it."""
    return [*rng.integers(3, SIZE, rng.integers(0, 12)), 2]


def text(ids) -> str:
    return " ".join(str(i) for i in ids if i)


@pytest.fixture
def corpus():
    rng = np.random.default_rng(0)
    references = [[caption(rng) for _ in range(rng.integers(1, 6))] for _ in range(30)]
    return references, [[caption(rng) for _ in range(3)] for _ in range(30)]


def flat(references):
    photo = np.repeat(np.arange(len(references)), [len(own) for own in references])
    return pad([c for own in references for c in own]).astype(np.int32), photo


def scores(cider, captions, references):
    padded = pad([c for own in captions for c in own]).astype(np.int32)
    padded = padded.reshape(len(captions), -1, padded.shape[1])
    theirs, photo = flat(references)
    return tf.function(cider.score)(padded, theirs, tf.cast(photo, tf.int32)).numpy()


def test_it_is_coco_captions(corpus):
    references, captions = corpus
    found = scores(cider_of(references, SIZE), captions, references)
    truth = {i: [text(r) for r in own] for i, own in enumerate(references)}
    for n in range(3):
        results = {i: [text(own[n])] for i, own in enumerate(captions)}
        mean, each = Cider().compute_score(truth, results)
        np.testing.assert_allclose(found[:, n], each, rtol=1e-4, atol=1e-5)
        assert found[:, n].mean() == pytest.approx(mean, rel=1e-5)


def test_rarity_may_come_from_other_photos(corpus):
    references, captions = corpus
    known, asked = references[:20], references[20:]
    found = scores(cider_of(known, SIZE), captions[20:], asked)
    scorer = CiderScorer()
    for own in known:
        scorer += (None, [text(r) for r in own])
    scorer.compute_doc_freq()
    scorer.crefs, scorer.ctest = [], []
    for own, theirs in zip(captions[20:], asked):
        scorer += (text(own[0]), [text(r) for r in theirs])
    # The reference takes the number of photos from those asked about; ours are 20.
    for own, theirs in zip(captions[:10], known[:10]):
        scorer += (text(own[0]), [text(r) for r in theirs])
    np.testing.assert_allclose(
        found[:, 0], scorer.compute_cider()[:10], rtol=1e-4, atol=1e-5
    )


def test_a_perfect_caption_of_a_photo_unlike_others_is_ten():
    references = [[[3, 4, 5, 6, 2]], [[7, 8, 7, 8, 1]]]
    found = scores(cider_of(references, SIZE), references, references)
    assert found[0, 0] == pytest.approx(10)


def test_captions_too_short_for_an_n_gram():
    references = [[[2], [3, 2]], [[4, 2]]]
    cider = cider_of(references, SIZE)
    found = cider.score(
        tf.constant([[[3, 2]], [[2, 0]]]),
        tf.constant([[2, 0], [3, 2], [4, 2]]),
        tf.constant([0, 0, 1]),
    )
    assert np.isfinite(found).all() and found[0, 0] > found[1, 0] == 0
