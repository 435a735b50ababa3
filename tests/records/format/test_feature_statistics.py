import numpy as np

from records.format.feature_statistics import StatisticsAccumulator


def test_mean_and_deviation_of_vectors():
    sums = StatisticsAccumulator()
    for row in ([1, 5], [3, 5]):
        sums.add(np.array(row, np.float32))
    found = sums.moments()
    assert (found.mean, found.deviation) == ([2, 5], [1, 0])
    assert sums.cells == 2


def test_a_grid_counts_every_cell():
    grid = np.random.default_rng(0).normal(size=[3, 2, 2, 5]).astype(np.float16)
    sums = StatisticsAccumulator()
    for photo in grid:
        sums.add(photo)
    found, exact = sums.moments(), grid.astype(np.float64).reshape([-1, 5])
    np.testing.assert_allclose(found.mean, exact.mean(0))
    np.testing.assert_allclose(found.deviation, exact.std(0))
    assert sums.cells == 12


def test_small_features_are_not_lost():
    sums = StatisticsAccumulator()
    for value in (1e-4, 3e-4):
        sums.add(np.full([1], value, np.float32))
    np.testing.assert_allclose(sums.moments().deviation, [1e-4], rtol=1e-6)


def test_sums_are_merged():
    parts, whole = (
        [StatisticsAccumulator(), StatisticsAccumulator(), StatisticsAccumulator()],
        StatisticsAccumulator(),
    )
    for part, value in zip(parts, (1, 2)):  # the third stays empty
        part.add(np.full([2], value, np.float32))
    for part in parts:
        whole.merge(part.sum, part.squares, part.cells)
    assert whole.cells == 2
    assert whole.moments().mean == [1.5, 1.5]
