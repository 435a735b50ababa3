"""Keeps the sums of features of all shards in a temporary file until they are added.

Each shard has two numbers a channel: gigabytes of text for millions of photos.
"""

import tempfile

import numpy as np

from beam_jobs.transforms.write_shard import ShardReport
from records.format.feature_statistics import StatisticsAccumulator
from records.format.manifest import FeatureStatistics


class ShardSums:
    """Sums of features taken out of reports; a context manager."""

    def __enter__(self) -> "ShardSums":
        self.file = tempfile.TemporaryFile()
        self.places: dict[str, tuple[int, tuple[int, ...], int]] = {}
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def take(self, report: ShardReport) -> ShardReport:
        """Returns the report without its sums."""
        sums = np.array([report.feature_sum, report.feature_squares])
        self.places[report.shard.name] = self.file.tell(), sums.shape, report.cells
        self.file.write(sums.tobytes())
        return report.model_copy(update={"feature_sum": [], "feature_squares": []})

    def moments(self) -> FeatureStatistics:
        """Returns mean and standard deviation per channel over the training photos.

        Shards are added in the order of their names, so the runner does not matter.
        """
        added = StatisticsAccumulator()
        for _, (place, shape, cells) in sorted(self.places.items()):
            self.file.seek(place)
            data = self.file.read(8 * int(np.prod(shape)))
            total, squares = np.frombuffer(data).reshape(shape)
            added.merge(total, squares, cells)
        return added.moments()
