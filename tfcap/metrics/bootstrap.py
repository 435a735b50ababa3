"""Paired bootstrap test of the difference of two results over the same photos.

Photos are drawn with replacement, the same ones for both results, and the difference of
the scores is computed for each sample. CIDEr and ROUGE-L are means over the photos of
the sample (IDF weights are kept from the full set); BLEU is recomputed as corpus BLEU
of each sample.

Source: Koehn, "Statistical Significance Tests for Machine Translation Evaluation",
EMNLP 2004.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from records.errors import UserError
from tfcap.metrics import scoring
from tfcap.metrics.scoring import Scores

RESAMPLES, SEED, AT_A_TIME = 10_000, 0, 500
ORDERS = 4
BLEUS, MEANS = scoring.NAMES[:ORDERS], scoring.NAMES[ORDERS:]
TINY, SMALL = 1e-15, 1e-9  # coco-caption's guards against 0 / 0


@dataclass(frozen=True)
class Difference:
    """The difference of one score between two results.

    Attributes:
        this: Score of this result, a fraction.
        other: Score of the other result.
        interval: 95 % confidence interval of the difference.
        p: Two-sided p-value of the difference.
    """

    this: float
    other: float
    interval: tuple[float, float]
    p: float

    @property
    def difference(self) -> float:
        return self.this - self.other


@dataclass(frozen=True)
class Result:
    """The scores of a result and the counts behind its BLEU, by photo.

    Attributes:
        scores: The scores.
        statistics: Counts (`bleu_statistics`), float64 [photos, 2 * 4 + 2].
    """

    scores: Scores
    statistics: np.ndarray

    @classmethod
    def of(
        cls,
        captions: Mapping[str, str],
        references: Mapping[str, Sequence[str]],
        scores: Scores | None = None,
    ) -> "Result":
        """Returns the result of captions and references of the same photos.

        Args:
            captions: Photo id -> caption.
            references: Photo id -> references.
            scores: Scores of the captions, if they are known.
        """
        return cls(
            scores or scoring.score(captions, references),
            scoring.bleu_statistics(captions, references).astype(np.float64),
        )

    def resampled(self, counts: np.ndarray) -> dict[str, np.ndarray]:
        """Returns the scores of samples, float64 [samples], by name.

        Args:
            counts: How often each photo is in each sample, float64 [samples, photos].
        """
        each = [[row[name] for name in MEANS] for row in self.scores.per_photo.values()]
        sums = counts @ np.hstack([self.statistics, each])
        means = sums[:, -len(MEANS) :].T / counts.shape[1]
        return dict(zip(BLEUS, bleu(sums[:, : -len(MEANS)]))) | dict(zip(MEANS, means))


def bleu(statistics: np.ndarray) -> list[np.ndarray]:
    """Returns BLEU-1 to BLEU-4 of sums of statistics, [samples, 10]."""
    matches, total = statistics[:, :ORDERS], statistics[:, ORDERS : 2 * ORDERS]
    words, reference = statistics[:, -2], statistics[:, -1]
    logs = np.cumsum(np.log((matches + TINY) / (total + SMALL)), 1)
    ratio = (words + TINY) / (reference + SMALL)
    brevity = np.minimum(0, 1 - 1 / ratio)
    return [np.exp(logs[:, n] / (n + 1) + brevity) for n in range(ORDERS)]


def compare(this: Result, other: Result) -> dict[str, Difference]:
    """Returns the difference between two results, by name of the score.

    Raises:
        UserError: The results have different photos.
    """
    check_same_photos(set(this.scores.per_photo), set(other.scores.per_photo))
    batches = list(differences(this, other, photos=len(this.statistics)))
    return {
        name: difference_of(
            np.concatenate([batch[name] for batch in batches]),
            this.scores.corpus[name],
            other.scores.corpus[name],
        )
        for name in scoring.NAMES
    }


def differences(
    this: Result, other: Result, photos: int
) -> Iterator[dict[str, np.ndarray]]:
    """Yields the differences of all samples, some at a time, from a fixed seed."""
    random, share = np.random.default_rng(SEED), np.full(photos, 1 / photos)
    for _ in range(0, RESAMPLES, AT_A_TIME):
        counts = random.multinomial(photos, share, AT_A_TIME).astype(np.float64)
        scores, others = this.resampled(counts), other.resampled(counts)
        yield {name: scores[name] - others[name] for name in scores}


def difference_of(samples: np.ndarray, this: float, other: float) -> Difference:
    """Returns the difference of two scores, with its interval and p-value.

    Args:
        samples: The differences of the samples, float64 [samples].
        this: Score of this result.
        other: Score of the other result.
    """
    low, high = np.quantile(samples, [0.025, 0.975]).tolist()
    # The result itself counts as one more sample, so that no p is 0.
    tails = [(np.sum(t) + 1) / (len(samples) + 1) for t in (samples <= 0, samples >= 0)]
    return Difference(this, other, (low, high), float(min(1, 2 * min(tails))))


def check_same_photos(this: set[str], other: set[str]) -> None:
    if this == other:
        return
    photo = min(this ^ other)
    where = "this one" if photo in this else "the other"
    raise UserError(
        f"two results are compared over the same photos: this one has {len(this)}, the "
        f"other {len(other)}, and {photo!r} is in {where} alone. Score the same split"
    )
