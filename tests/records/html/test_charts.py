import base64
import io

import numpy as np
import pytest
from PIL import Image

from records.format.manifest import FeatureStatistics
from records.html.charts import (
    cell_map,
    colours,
    feature_strip,
    histogram,
)


def pixels(url: str) -> np.ndarray:
    content = base64.b64decode(url.removeprefix("data:image/png;base64,"))
    return np.array(Image.open(io.BytesIO(content)).convert("RGBA")).astype(int)


def moments(features: int) -> FeatureStatistics:
    return FeatureStatistics(mean=[1.0] * features, deviation=[2.0] * features)


def rows(chart) -> list[tuple[int, int, int]]:
    return [(part.low, part.high, part.number) for part in chart.bins]


def test_whole_numbers_are_counted_from_the_lowest():
    chart = histogram({4: 1, 7: 3})
    assert rows(chart) == [(4, 4, 1), (5, 5, 0), (6, 6, 0), (7, 7, 3)]
    assert chart.most == 3 and chart.mean == 6.25
    assert [chart.position(value) for value in (4, 6.25, 7)] == [0.125, 0.6875, 0.875]


def test_wide_bins_of_whole_numbers():
    assert rows(histogram({0: 1, 7: 2, 99: 1}, most=10))[0] == (0, 9, 3)
    assert rows(histogram({12: 1, 13: 1, 40: 1}, most=16)) == [
        (low, low + 1, number)
        for low, number in zip(range(12, 42, 2), [2, *[0] * 13, 1])
    ]


def test_a_value_on_an_edge_is_above_it():
    chart = histogram({30.0: 1, 49.9: 1, 50.0: 1}, finest=10, gap=0)
    assert rows(chart) == [(30, 40, 1), (40, 50, 1), (50, 60, 1)]
    assert chart.position(30) == 0 and chart.position(45) == 0.5


def test_other_values_are_scaled_to_as_many():
    chart = histogram({1: 2, 2: 2}, {1: 4, 2: 2, 9: 2})
    assert [part.expected for part in chart.bins] == [2, 1]


@pytest.mark.parametrize("numbers", [{}, {0: 1}, dict.fromkeys(range(2, 3000), 1)])
def test_any_values_make_a_histogram(numbers):
    chart = histogram(numbers)
    assert sum(part.number for part in chart.bins) == len(numbers)
    assert 1 <= len(chart.bins) <= 40 and chart.most >= 1


def test_features_above_and_below_the_mean():
    features = np.array([1, 7, -5, 4], np.float32)  # 0, 3, -3 and 1.5 deviations
    strip = pixels(feature_strip(features, moments(4)))
    assert strip.shape == (1, 64, 4)
    assert strip[0, :, 3].tolist() == [0, 255, 255, 128] + [0] * 60
    assert strip[0, 1].tolist() != strip[0, 2].tolist()


@pytest.mark.parametrize(
    ("shape", "rows"), [((1000,), 16), ((2, 3, 128), 2), ((100_000,), 63)]
)
def test_strips_of_any_features(shape, rows):
    features = np.random.default_rng(0).normal(size=shape).astype(np.float16)
    assert pixels(feature_strip(features, moments(shape[-1]))).shape == (rows, 64, 4)


def test_features_without_a_scale_are_blank():
    flat = FeatureStatistics(mean=[1.0, 0.0, 0.0], deviation=[0.0, 1.0, 1.0])
    strip = pixels(feature_strip(np.array([9, np.nan, np.inf], np.float32), flat))
    assert not strip[..., 3].any()


def test_where_a_grid_is_strong():
    grid = np.zeros([2, 3, 4], np.float32)
    grid[1, 2] = 5
    shown = pixels(cell_map(grid))
    assert shown.shape == (2, 3, 4)
    assert shown[1, 2, 3] == 255 and not shown[0, :, 3].any()
    assert not pixels(cell_map(np.ones([2, 2, 3])))[..., 3].any()


def test_nothing_is_stronger_than_full():
    assert colours(np.array([[2.0, -9.0]]))[0, :, 3].tolist() == [255, 255]
