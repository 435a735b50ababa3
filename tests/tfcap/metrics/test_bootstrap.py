"""Bootstrap over photos: intervals of scores and differences of two results."""

import numpy as np
import pytest

from records.errors import UserError
from tfcap.metrics import bootstrap, scoring
from tfcap.metrics.scoring import Scores

NOUNS = ["dog", "cat", "man", "girl", "horse", "bird"]
PLACES = ["grass", "snow", "sand", "a street", "the water"]
PHOTOS = [(noun, place) for noun in NOUNS for place in PLACES]
REFERENCES = {
    f"{i:02}.jpg": [f"a {noun} runs over {place}", f"one {noun} is on {place} today"]
    for i, (noun, place) in enumerate(PHOTOS)
}
GOOD = {photo: texts[0] for photo, texts in REFERENCES.items()}
POOR = {photo: text.replace("runs over", "sleeps by") for photo, text in GOOD.items()}


def score(captions) -> Scores:
    return scoring.score(captions, {p: REFERENCES[p] for p in captions})


def compare(this, other) -> dict[str, bootstrap.Difference]:
    return bootstrap.compare([score(this)], [score(other)])


def test_a_sample_of_every_photo_once_has_the_scores_of_all():
    mixed = GOOD | dict(list(POOR.items())[::3]) | {"04.jpg": "dog", "07.jpg": ""}
    scores = score(mixed)
    once = np.ones([1, len(mixed)])
    sampled = bootstrap.compute_scores(once, bootstrap.photo_table(scores))[:, 0]
    assert sampled == pytest.approx(list(scores.corpus.values()), rel=1e-9)


def test_a_sample_is_scored_as_the_photos_in_it():
    chosen = sorted(GOOD)[:7]
    counts = np.array([[1] * 7 + [0] * (len(GOOD) - 7)])
    scores = score(GOOD | dict(list(POOR.items())[:3]))
    captions = {p: (POOR if i < 3 else GOOD)[p] for i, p in enumerate(chosen)}
    alone = score(captions).corpus
    sampled = bootstrap.bleu(counts @ scores.bleu_counts)
    for n in range(1, 5):
        assert sampled[n - 1][0] == pytest.approx(alone[f"bleu_{n}"])


def test_intervals_are_those_of_samples_scored_one_by_one(monkeypatch):
    """The reference scores each sample by itself, from the texts of its photos."""
    monkeypatch.setattr(bootstrap, "RESAMPLES", 40)
    monkeypatch.setattr(bootstrap, "AT_A_TIME", 40)
    photos, captions = sorted(GOOD), GOOD | dict(list(POOR.items())[::3])
    scores = score(captions)
    random = np.random.default_rng(bootstrap.SEED)
    draws = random.multinomial(30, [1 / 30] * 30, 40)
    samples = [score_sample(np.repeat(photos, row), captions, scores) for row in draws]
    found = bootstrap.intervals(scores)
    assert list(found) == list(scoring.NAMES)
    for name, values in zip(scoring.NAMES, zip(*samples)):
        # Quantile q of n sorted values is at q * (n - 1), between two of them.
        ordered = sorted(values)
        low = ordered[0] + 0.975 * (ordered[1] - ordered[0])
        high = ordered[38] + 0.025 * (ordered[39] - ordered[38])
        assert found[name] == pytest.approx((low, high)), name


def score_sample(photos, captions, scores) -> list[float]:
    copies = {f"{i:02}": str(photo) for i, photo in enumerate(photos)}
    texts = {copy: captions[photo] for copy, photo in copies.items()}
    corpus = scoring.score(texts, {copy: REFERENCES[p] for copy, p in copies.items()})
    each = [scores.per_photo[photo] for photo in copies.values()]
    bleus = [corpus.corpus[name] for name in bootstrap.BLEUS]
    means = [sum(row[n] for row in each) / len(each) for n in bootstrap.MEANS]
    return [*bleus, *means]


def test_the_interval_of_equal_photos_has_no_width():
    texts = {f"{i}.jpg": "a dog runs over grass" for i in range(9)}
    references = {photo: ["a black dog runs over the grass"] for photo in texts}
    scores = scoring.score(texts, references)
    for name, interval in bootstrap.intervals(scores).items():
        value = scores.corpus[name]
        assert interval == pytest.approx((value, value), abs=1e-12), name


def test_the_interval_of_a_rate_is_close_to_the_formula():
    """ROUGE-L is 1 for half of the photos and 0 for the others."""
    captions = {p: GOOD[p] if i % 2 else "zebra" for i, p in enumerate(sorted(GOOD))}
    low, high = bootstrap.intervals(score(captions))["rouge_l"]
    half = 1.96 * (0.5 * 0.5 / len(GOOD)) ** 0.5
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half), abs=0.03)


def test_the_same_seed_gives_the_same_interval(monkeypatch):
    scores = score(GOOD | dict(list(POOR.items())[::3]))
    first = bootstrap.intervals(scores)
    assert bootstrap.intervals(scores) == first
    monkeypatch.setattr(bootstrap, "SEED", 1)
    assert bootstrap.intervals(scores) != first


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


def test_the_mean_of_several_results_is_compared():
    both = bootstrap.compare([score(GOOD), score(POOR)], [score(POOR)])
    alone = compare(GOOD, POOR)
    for name, difference in both.items():
        half = alone[name].difference / 2
        assert difference.difference == pytest.approx(half)
        ends = [end / 2 for end in alone[name].interval]
        assert difference.interval == pytest.approx(ends)
