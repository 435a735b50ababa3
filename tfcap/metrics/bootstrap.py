"""Bootstrap over photos: intervals of scores, and of the difference of two results.

Photos are drawn with replacement, and the scores are computed for each sample. CIDEr
and ROUGE-L are means over the photos of the sample (IDF weights are kept from the full
set); BLEU is recomputed as corpus BLEU of each sample. Two results are compared on the
same samples.

Source: Koehn, "Statistical Significance Tests for Machine Translation Evaluation",
EMNLP 2004.
"""

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from records.errors import UserError
from tfcap.metrics import scoring
from tfcap.metrics.scoring import Scores

RESAMPLES, SEED, AT_A_TIME = 10_000, 0, 500
ENDS = (0.025, 0.975)  # of a 95 % interval
ORDERS = 4
BLEUS, MEANS = scoring.NAMES[:ORDERS], scoring.NAMES[ORDERS:]
TINY, SMALL = 1e-15, 1e-9  # coco-caption's guards against 0 / 0

Interval = tuple[float, float]


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
    interval: Interval
    p: float

    @property
    def difference(self) -> float:
        return self.this - self.other


def intervals(scores: Scores) -> dict[str, Interval]:
    """Returns the 95 % confidence interval of each score, as fractions, by name."""
    (samples,) = resample(scores)
    return {name: interval_of(samples[name]) for name in scoring.NAMES}


def interval_of(samples: np.ndarray) -> Interval:
    """Returns the interval that holds 95 % of the samples, float64 [samples]."""
    low, high = np.quantile(samples, ENDS).tolist()
    return low, high


def resample(*results: Scores) -> list[dict[str, np.ndarray]]:
    """Returns the scores of each result on `RESAMPLES` samples of its photos.

    The samples are a function of the number of photos, and are the same for all
    results.

    Returns:
        For each result the scores of the samples, float64 [samples], by name.
    """
    tables = [photo_table(scores) for scores in results]
    batches = [
        [compute_scores(counts, table) for table in tables]
        for counts in draw(len(tables[0]))
    ]
    return [
        dict(zip(scoring.NAMES, np.concatenate(parts, 1))) for parts in zip(*batches)
    ]


def draw(photos: int) -> Iterator[np.ndarray]:
    """Yields how often each photo is in each sample, float64 [AT_A_TIME, photos]."""
    random, share = np.random.default_rng(SEED), np.full(photos, 1 / photos)
    for _ in range(0, RESAMPLES, AT_A_TIME):
        yield random.multinomial(photos, share, AT_A_TIME).astype(np.float64)


def photo_table(scores: Scores) -> np.ndarray:
    """Returns BLEU's counts and the other scores of each photo, float64 [photos, 12].

    The scores of a sample follow from the sums of its columns.
    """
    means = [[row[name] for name in MEANS] for row in scores.per_photo.values()]
    return np.hstack([scores.bleu_counts, means])


def compute_scores(counts: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Returns the scores of samples, in the order of `NAMES`, float64 [6, samples].

    Args:
        counts: How often each photo is in each sample, float64 [samples, photos].
        table: The photos (`photo_table`), float64 [photos, 12].
    """
    sums = counts @ table
    means = sums[:, -len(MEANS) :].T / counts.shape[1]
    return np.stack([*bleu(sums[:, : -len(MEANS)]), *means])


def bleu(sums: np.ndarray) -> list[np.ndarray]:
    """Returns BLEU-1 to BLEU-4 of sums of counts, [samples, 10]."""
    matches, total = sums[:, :ORDERS], sums[:, ORDERS : 2 * ORDERS]
    words, reference = sums[:, -2], sums[:, -1]
    logs = np.cumsum(np.log((matches + TINY) / (total + SMALL)), 1)
    ratio = (words + TINY) / (reference + SMALL)
    brevity = np.minimum(0, 1 - 1 / ratio)
    return [np.exp(logs[:, n] / (n + 1) + brevity) for n in range(ORDERS)]


def compare(these: Sequence[Scores], others: Sequence[Scores]) -> dict[str, Difference]:
    """Returns the difference between two results, by name of the score.

    Each is the mean of one or more: of runs that differ in their seed, say. The
    interval is over photos, and not over seeds.

    Raises:
        UserError: The results have different photos.
    """
    for other in others:
        check_same_photos(set(these[0].per_photo), set(other.per_photo))
    samples = resample(*these, *others)
    first, second = samples[: len(these)], samples[len(these) :]
    return {
        name: difference_of(
            np.mean([run[name] for run in first], 0)
            - np.mean([run[name] for run in second], 0),
            statistics.mean(run.corpus[name] for run in these),
            statistics.mean(run.corpus[name] for run in others),
        )
        for name in scoring.NAMES
    }


def difference_of(samples: np.ndarray, this: float, other: float) -> Difference:
    """Returns the difference of two scores, with its interval and p-value.

    Args:
        samples: The differences of the samples, float64 [samples].
        this: Score of this result.
        other: Score of the other result.
    """
    # The result itself counts as one more sample, so that no p is 0.
    tails = [(np.sum(t) + 1) / (len(samples) + 1) for t in (samples <= 0, samples >= 0)]
    p = float(min(1, 2 * min(tails)))
    return Difference(this, other, interval_of(samples), p)


def check_same_photos(this: set[str], other: set[str]) -> None:
    if this == other:
        return
    photo = min(this ^ other)
    where = "this one" if photo in this else "the other"
    raise UserError(
        f"two results are compared over the same photos: this one has {len(this)}, the "
        f"other {len(other)}, and {photo!r} is in {where} alone. Score the same split"
    )
