"""Paired bootstrap between two results."""

import numpy as np
import pytest

from records.errors import UserError
from tfcap.metrics import bootstrap, scoring
from tfcap.metrics.bootstrap import Result

NOUNS = ["dog", "cat", "man", "girl", "horse", "bird"]
PLACES = ["grass", "snow", "sand", "a street", "the water"]
PHOTOS = [(noun, place) for noun in NOUNS for place in PLACES]
REFERENCES = {
    f"{i:02}.jpg": [f"a {noun} runs over {place}", f"one {noun} is on {place} today"]
    for i, (noun, place) in enumerate(PHOTOS)
}
GOOD = {photo: texts[0] for photo, texts in REFERENCES.items()}
POOR = {photo: text.replace("runs over", "sleeps by") for photo, text in GOOD.items()}


def compare(this, other) -> dict[str, bootstrap.Difference]:
    return bootstrap.compare(
        *(Result.of(one, {p: REFERENCES[p] for p in one}) for one in (this, other))
    )


def test_a_sample_of_every_photo_once_has_the_scores_of_all():
    mixed = GOOD | dict(list(POOR.items())[::3]) | {"04.jpg": "dog", "07.jpg": ""}
    found = Result.of(mixed, REFERENCES)
    scores = found.resampled(np.ones([1, len(mixed)], int))
    for name, value in found.scores.corpus.items():
        assert scores[name][0] == pytest.approx(value, rel=1e-9), name


def test_a_sample_is_scored_as_the_photos_in_it():
    chosen = sorted(GOOD)[:7]
    counts = np.array([[1] * 7 + [0] * (len(GOOD) - 7)])
    found = Result.of(GOOD | dict(list(POOR.items())[:3]), REFERENCES)
    captions = {p: (POOR if i < 3 else GOOD)[p] for i, p in enumerate(chosen)}
    alone = scoring.score(captions, {p: REFERENCES[p] for p in chosen}).corpus
    scores = bootstrap.bleu(counts @ found.statistics)
    for n in range(1, 5):
        assert scores[n - 1][0] == pytest.approx(alone[f"bleu_{n}"])


def test_better_everywhere_is_no_chance():
    for name, found in compare(GOOD, POOR).items():
        assert found.interval[0] > 0, name
        assert found.interval[0] <= found.difference <= found.interval[1]
        assert found.p == pytest.approx(2 / (bootstrap.RESAMPLES + 1))


def test_the_other_way_round_is_the_same_reversed():
    there, back = compare(GOOD, POOR), compare(POOR, GOOD)
    for name, found in there.items():
        assert back[name].interval == pytest.approx([-x for x in found.interval[::-1]])
        assert back[name].p == found.p


def test_the_same_result_twice():
    for found in compare(GOOD, GOOD).values():
        assert (found.difference, found.interval, found.p) == (0, (0, 0), 1)


def test_better_here_and_worse_there_may_be_chance():
    photos = sorted(GOOD)
    one = {p: (GOOD if i % 2 else POOR)[p] for i, p in enumerate(photos)}
    other = {p: (POOR if i % 2 else GOOD)[p] for i, p in enumerate(photos)}
    found = compare(one, other)["cider"]
    assert found.interval[0] < 0 < found.interval[1] and found.p > 0.2
    assert compare(one, other)["cider"] == found


def test_other_photos_are_refused():
    other = {photo: text for photo, text in GOOD.items() if photo != "03.jpg"}
    with pytest.raises(UserError, match=r"30, the other 29, and '03.jpg' is in this"):
        compare(GOOD, other)
