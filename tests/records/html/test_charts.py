import base64
import io
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from records.format.manifest import FeatureStatistics, ShardInfo
from records.html.charts import (
    cell_map,
    colours,
    feature_strip,
    length_histogram,
    shard_bars,
)


def pixels(url: str) -> np.ndarray:
    content = base64.b64decode(url.removeprefix("data:image/png;base64,"))
    return np.array(Image.open(io.BytesIO(content)).convert("RGBA")).astype(int)


def moments(features: int) -> FeatureStatistics:
    return FeatureStatistics(mean=[1.0] * features, deviation=[2.0] * features)


def info(name: str, photos: int) -> ShardInfo:
    return ShardInfo(name=name, photos=photos, captions=0, bytes=0, sha256="")


def test_a_bar_for_every_length():
    chart = ElementTree.fromstring(length_histogram({4: 1, 7: 3}))
    titles = [bar.find("title").text for bar in chart.findall("rect")]
    assert titles == ["4 tokens: 1 captions", "7 tokens: 3 captions"]
    heights = [float(bar.get("height")) for bar in chart.findall("rect")]
    assert heights == [60, 180]
    assert [label.text for label in chart.findall("text")] == ["4", "5", "6", "7"]


@pytest.mark.parametrize("lengths", [{}, {5: 1}, dict.fromkeys(range(2, 300), 1)])
def test_any_lengths_make_a_chart(lengths):
    chart = ElementTree.fromstring(length_histogram(lengths))
    assert len(chart.findall("rect")) == len(lengths)
    assert len(chart.findall("text")) <= 8


def test_shards_as_bars():
    chart = ElementTree.fromstring(shard_bars([info("<a>", 4), info("b", 0)]))
    assert [float(bar.get("height")) for bar in chart.findall("rect")] == [40, 0]
    assert "<a>: 4 photos" in chart.find("rect/title").text
    ElementTree.fromstring(shard_bars([]))


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
