"""Charts for pages: bars as SVG, features as images."""

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from records.format.manifest import FeatureStatistics, ShardInfo
from records.html.images import picture_url

WIDTH, HEIGHT = 340, 225  # of a histogram, its labels included
LABELS = 8
STRIP_COLUMNS = 64
STRIP_CELLS = 4096
DEVIATIONS = 3.0  # from the mean, drawn in the strongest colour
ABOVE, BELOW = (22, 143, 132), (217, 119, 6)


def length_histogram(lengths: Mapping[int, int]) -> str:
    """Returns captions by length as SVG, with a bar for every length."""
    first, last = min(lengths, default=0), max(lengths, default=0)
    step = (WIDTH - 20) / (last - first + 1)
    unit = 180 / max(1, *lengths.values(), 1)
    bars = "".join(
        f'<rect x="{10 + (n - first + 0.08) * step:.1f}" rx="2" '
        f'y="{205 - unit * count:.1f}" width="{0.84 * step:.1f}" '
        f'height="{unit * count:.1f}"><title>{n} tokens: {count:,} captions</title>'
        "</rect>"
        for n, count in sorted(lengths.items())
    )
    every = -(-(last - first + 1) // LABELS)
    labels = "".join(
        f'<text x="{10 + (n - first + 0.5) * step:.1f}" y="220">{n}</text>'
        for n in range(first, last + 1, every)
    )
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="Captions by length, from {first} to {last} tokens">{bars}'
        f'<line x1="10" x2="{WIDTH - 10}" y1="205.5" y2="205.5"/>{labels}</svg>'
    )


def shard_bars(infos: Sequence[ShardInfo]) -> str:
    """Returns the photos in each shard as SVG, as wide as its container."""
    unit = 40 / max(1, *(info.photos for info in infos), 1)
    gap = 0.12 if len(infos) <= 80 else 0.0
    bars = "".join(
        f'<rect x="{i + gap / 2:.2f}" y="{40 - unit * info.photos:.1f}" '
        f'width="{1 - gap:.2f}" height="{unit * info.photos:.1f}">'
        f"<title>{escape(info.name)}: {info.photos:,} photos, "
        f"{info.captions:,} captions, {info.bytes / 2**20:.1f} MiB</title></rect>"
        for i, info in enumerate(infos)
    )
    return (
        f'<svg class="shards" viewBox="0 0 {len(infos) or 1} 40" role="img" '
        'preserveAspectRatio="none" '
        f'aria-label="Photos in each of {len(infos)} shards">{bars}</svg>'
    )


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
        vector - moments.mean,
        deviation,
        out=np.zeros_like(vector),
        where=deviation > 0,
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
