"""Charts for pages: histograms as numbers, features as images."""

import itertools
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from records.format.manifest import FeatureStatistics
from records.html.images import picture_url

STRIP_COLUMNS = 64
STRIP_CELLS = 4096
DEVIATIONS = 3.0  # from the mean, drawn in the strongest colour
ABOVE, BELOW = (22, 143, 132), (217, 119, 6)

Number = TypeVar("Number", int, float)


class Bin(NamedTuple):
    """Values from `low` to `high`.

    Attributes:
        low: the lowest value.
        high: the highest value; excluded if the values are not whole numbers.
        number: of values.
        expected: number if the values were distributed as the values to compare with.
    """

    low: int
    high: int
    number: int
    expected: float


@dataclass(frozen=True)
class Histogram:
    """Numbers of values in bins of equal width, from the lowest value to the highest.

    Attributes:
        bins: at least one, empty ones included.
        gap: 1 for whole numbers, 0 for others.
        mean: of the values.
    """

    bins: list[Bin]
    gap: int
    mean: float

    @property
    def most(self) -> int:
        """The number of values in the fullest bin, or 1."""
        return max(1, max(part.number for part in self.bins))

    def position(self, value: float) -> float:
        """Returns where a value is on the axis, from 0 to 1."""
        first = self.bins[0]
        width = first.high + self.gap - first.low
        return (value - first.low + self.gap / 2) / (width * len(self.bins))


def histogram(
    numbers: Mapping[Number, int],
    compared: Mapping[Number, int] | None = None,
    most: int = 40,
    finest: int = 1,
    gap: int = 1,
) -> Histogram:
    """Counts values in bins, whose width is 1, 2 or 5 times a power of ten.

    Args:
        numbers: value -> how often it occurs.
        compared: the same of other values, to compare with.
        most: bins.
        finest: the smallest width.
        gap: as in `Histogram`.
    """
    low, high = min(numbers, default=0), max(numbers, default=0)
    steps = (step * 10**power for power in itertools.count() for step in (1, 2, 5))
    width = next(s for s in steps if s >= finest and high // s - low // s < most)
    binned, others = in_bins(numbers, width), in_bins(compared or {}, width)
    share = binned.total() / max(1, others.total())
    bins = [
        Bin(i * width, (i + 1) * width - gap, binned[i], share * others[i])
        for i in range(int(low // width), int(high // width) + 1)
    ]
    total = sum(value * number for value, number in numbers.items())
    return Histogram(bins, gap, total / max(1, binned.total()))


def in_bins(numbers: Mapping[Number, int], width: int) -> Counter[int]:
    """Returns index of a bin -> number of values."""
    binned: Counter[int] = Counter()
    for value, number in numbers.items():
        binned[int(value // width)] += number
    return binned


def feature_strip(features: np.ndarray, moments: FeatureStatistics) -> str:
    """Returns an image of how far features are above or below the training mean.

    A row shows 64 features. A grid is averaged over its cells first; more than 4,096
    features are averaged over neighbours.

    Args:
        features: [features] or [rows, columns, channels].
        moments: statistics of each feature or channel.
    """
    finite = np.nan_to_num(features.astype(np.float64), posinf=0, neginf=0)
    vector = finite.reshape([-1, features.shape[-1]]).mean(0)
    deviation = np.array(moments.deviation)
    apart = np.divide(
        vector - moments.mean, deviation, out=np.zeros_like(vector), where=deviation > 0
    )
    shown = average_neighbours(apart)
    rows = -(-len(shown) // STRIP_COLUMNS)
    cells = np.pad(shown, (0, rows * STRIP_COLUMNS - len(shown)))
    return picture_url(colours(cells.reshape([rows, STRIP_COLUMNS]) / DEVIATIONS))


def average_neighbours(values: np.ndarray) -> np.ndarray:
    """Returns at most STRIP_CELLS averages of neighbouring values."""
    starts = np.arange(0, len(values), math.ceil(len(values) / STRIP_CELLS))
    together = np.diff([*starts, len(values)])
    return np.add.reduceat(values, starts) / together


def cell_map(features: np.ndarray) -> str:
    """Returns an image of the length of the feature vector in each cell of a grid."""
    finite = np.nan_to_num(features.astype(np.float64), posinf=0, neginf=0)
    lengths = np.linalg.norm(finite, axis=-1)
    low, high = lengths.min(), lengths.max()
    return picture_url(colours((lengths - low) / max(high - low, 1e-12)))


def colours(values: np.ndarray) -> np.ndarray:
    """Returns uint8 RGBA [rows, columns, 4]; 0 is transparent.

    Args:
        values: [rows, columns], from -1 to 1.
    """
    clipped = np.clip(values, -1, 1)
    above = np.where(clipped[..., None] > 0, ABOVE, BELOW)
    opacity = np.round(255 * np.abs(clipped))[..., None]
    return np.concatenate([above, opacity], -1).astype(np.uint8)
