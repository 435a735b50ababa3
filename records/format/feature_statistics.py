"""Mean and standard deviation of each feature, added up photo by photo."""

import numpy as np

from records.format.manifest import FeatureStatistics


class StatisticsAccumulator:
    """Sums over photos and cells, per channel; in double precision.

    A random network's features are of the order of 1e-4: single would lose them.

    Attributes:
        sum, squares: float64 [channels]; empty before the first photo.
        cells: how many values each of them has.
    """

    def __init__(self):
        self.sum = self.squares = np.zeros(0)
        self.cells = 0

    def add(self, features: np.ndarray) -> None:
        """Adds one photo's features, [..., channels]."""
        rows = features.reshape([-1, features.shape[-1]]).astype(np.float64)
        self.merge(rows.sum(0), np.square(rows).sum(0), len(rows))

    def merge(self, total: np.ndarray, squares: np.ndarray, cells: int) -> None:
        """Adds the sums of others."""
        if not cells:
            return
        self.sum = self.sum + total if self.cells else total
        self.squares = self.squares + squares if self.cells else squares
        self.cells += cells

    def moments(self) -> FeatureStatistics:
        """Of what was added, which must be something."""
        mean = self.sum / self.cells
        deviation = np.sqrt(np.maximum(self.squares / self.cells - np.square(mean), 0))
        return FeatureStatistics(mean=mean.tolist(), deviation=deviation.tolist())
