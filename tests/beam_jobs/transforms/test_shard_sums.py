"""Sums that wait in a file are those that would wait in memory."""

import numpy as np
import pytest

from beam_jobs.transforms.shard_sums import ShardSums
from beam_jobs.transforms.write_shard import ShardReport
from records.format.feature_statistics import StatisticsAccumulator
from records.format.manifest import ShardInfo
from records.format.sharding import shard_name


def report(split="train", index=0, features=()) -> ShardReport:
    rows = np.array(features, np.float64)
    sums = [rows.sum(0), np.square(rows).sum(0)] if features else [rows, rows]
    name = shard_name(split, index, 9)
    return ShardReport(
        plan="",
        size=9,
        rejects=[],
        split=split,
        shard=ShardInfo(name=name, photos=1, captions=1, bytes=9, sha256=""),
        tokens=4,
        out_of_vocabulary=0,
        caption_lengths={},
        photo_formats={},
        distinct=[],
        feature_sum=sums[0].tolist(),
        feature_squares=sums[1].tolist(),
        cells=len(rows),
    )


def moments(reports):
    with ShardSums() as sums:
        for one in reports:
            slim = sums.take(one)
            assert (slim.feature_sum, slim.feature_squares) == ([], [])
            assert slim.shard == one.shard and slim.cells == one.cells
        return sums.moments()


def test_moments_of_the_training_features():
    measured = [report(features=[(1.0, 5.0)]), report(index=1, features=[(3.0, 5.0)])]
    found = moments([*measured, report("dev")])
    assert (found.mean, found.deviation) == ([2.0, 5.0], [1.0, 0.0])


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_reports_does_not_matter(seed):
    random = np.random.default_rng(seed)
    features = random.normal(size=(8, 5, 3)) * 10.0 ** random.integers(-9, 9, (8, 1, 1))
    reports = [report(index=i, features=own.tolist()) for i, own in enumerate(features)]
    sums = StatisticsAccumulator()
    for one in reports:
        total, squares = map(np.array, (one.feature_sum, one.feature_squares))
        sums.merge(total, squares, one.cells)
    assert moments([reports[i] for i in random.permutation(8)]) == sums.moments()
