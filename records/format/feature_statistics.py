"""Accumulates mean and standard deviation of each feature, photo by photo."""

import numpy as np

from records.format.manifest import FeatureStatistics


class StatisticsAccumulator:
    """Sums over photos and cells, per channel, in double precision.

    Single precision would lose features of the order of 1e-4, which a network with
    random weights has.

    Attributes:
        sum, squares: float64 [channels]; empty before the first photo.
        cells: number of values in each sum.
    """

    def __init__(self) -> None:
        self.sum = self.squares = np.zeros(0)
        self.cells = 0

    def add(self, features: np.ndarray) -> None:
        """Adds one photo's features, [..., channels]."""
        rows = features.reshape([-1, features.shape[-1]]).astype(np.float64)
        self.merge(rows.sum(0), np.square(rows).sum(0), len(rows))

    def merge(self, total: np.ndarray, squares: np.ndarray, cells: int) -> None:
        """Adds sums of other photos.

        Args:
            total: float64 [channels].
            squares: float64 [channels].
            cells: number of values in each sum.
        """
        if not cells:
            return
        self.sum = self.sum + total if self.cells else total
        self.squares = self.squares + squares if self.cells else squares
        self.cells += cells

    def moments(self) -> FeatureStatistics:
        """Returns mean and deviation of all photos; there must be at least one."""
        mean = self.sum / self.cells
        deviation = np.sqrt(np.maximum(self.squares / self.cells - np.square(mean), 0))
        return FeatureStatistics(mean=mean.tolist(), deviation=deviation.tolist())
