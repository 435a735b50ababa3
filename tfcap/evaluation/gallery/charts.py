"""Histograms as inline SVG, 340 x 225: bars up from 205, 180 high at most."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

LEFT, RIGHT, BASE, HIGH = 10, 330, 205, 180
MAX_LABELS = 8


class Bins(NamedTuple):
    """Values counted from 0 on.

    Attributes:
        width: of a bin, its upper edge excluded.
        counts: values in each.
    """

    width: float
    counts: list[float]

    @property
    def step(self) -> float:
        return (RIGHT - LEFT) / len(self.counts)


def cut(values: Sequence[float], widths: Sequence[float], most: int) -> Bins:
    """Counts values in bins of the first width that makes `most` or fewer."""
    top = max(values, default=0)
    width = next((w for w in widths if top / w < most), widths[-1])
    counts = [0] * (_bin(top, width) + 1)
    for value in values:
        counts[_bin(value, width)] += 1
    return Bins(width, counts)


def _bin(value: float, width: float) -> int:
    return int(value / width + 1e-9)  # 0.3 / 0.1 is less than 3


def cider_histogram(values: Sequence[float]) -> str:
    """Photos by CIDEr."""
    bins = cut(values, (0.1, 0.25, 0.5, 1.0), 16)
    width = bins.width
    edges = [f"{i * width:g}" for i in range(len(bins.counts) + 1)]
    spans = list(itertools.pairwise(edges))
    titles = [f"{low} to {high}" for low, high in spans]
    return _svg(
        "cider",
        f"Histogram of CIDEr, mean {_mean(values):.2f}",
        _bars(bins, spans, titles),
        _scale(bins, edges, 0),
        _mean_line(_mean(values), bins, 0, f"mean {_mean(values):.2f}"),
    )


def length_histogram(values: Sequence[int], others: Sequence[int]) -> str:
    """Captions by their words; `others` as an outline of as many."""
    bins = cut(values, (1, 2, 5, 10), 40)
    width = int(bins.width)
    spans = [
        (f"{i * width}", f"{(i + 1) * width - 1}") for i in range(len(bins.counts))
    ]
    titles = [f"{f'{a} to {b}' if a != b else a} words" for a, b in spans]
    return _svg(
        "words",
        f"Histogram of captions' words, mean {_mean(values):.1f}",
        _bars(bins, spans, titles),
        _outline(bins, others, len(values)),
        _scale(bins, [low for low, _ in spans], bins.step / 2),
        _mean_line(_mean(values), bins, bins.step / 2, f"mean {_mean(values):.1f}"),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))


def _svg(name: str, label: str, *parts: str) -> str:
    return (
        f'<svg class="histogram" data-of="{name}" viewBox="0 0 340 225" role="img" '
        f'aria-label="{label}">{"".join(parts)}</svg>'
    )


def _bars(bins: Bins, spans: Sequence[tuple[str, str]], titles: Sequence[str]) -> str:
    unit, step = HIGH / max(1, *bins.counts), bins.step
    return "".join(
        f'<rect x="{LEFT + (i + 0.06) * step:.1f}" y="{BASE - unit * count:.1f}" '
        f'rx="2" width="{0.88 * step:.1f}" height="{unit * count:.1f}" '
        f'data-from="{low}" data-to="{high}">'
        f"<title>{title}: {count:,} photos</title></rect>"
        for i, (count, (low, high), title) in enumerate(zip(bins.counts, spans, titles))
    )


def _outline(bins: Bins, others: Sequence[int], total: int) -> str:
    """What the bars would be if captions were as long as the others."""
    share = total / max(1, len(others))
    counts = [0.0] * len(bins.counts)
    for value in others:
        if (i := _bin(value, bins.width)) < len(counts):
            counts[i] += share
    unit = HIGH / max(1, *bins.counts)
    path = f"M{LEFT} {BASE}" + "".join(
        f"V{max(0.0, BASE - unit * count):.1f}h{bins.step:.2f}" for count in counts
    )
    return f'<path class="others" d="{path}V{BASE}"/>'


def _scale(bins: Bins, labels: Sequence[str], shift: float) -> str:
    every = -(-len(labels) // MAX_LABELS)
    numbers = "".join(
        f'<text x="{LEFT + i * bins.step + shift:.1f}" y="220">{labels[i]}</text>'
        for i in range(0, len(labels), every)
    )
    return f'<line x1="{LEFT}" x2="{RIGHT}" y1="205.5" y2="205.5"/>{numbers}'


def _mean_line(mean: float, bins: Bins, shift: float, label: str) -> str:
    x = LEFT + shift + bins.step * mean / bins.width
    at = min(max(x, 35), 305)  # the label stays inside
    return (
        f'<line class="mean" x1="{x:.1f}" x2="{x:.1f}" y1="18" y2="{BASE}"/>'
        f'<text class="mean-label" x="{at:.1f}" y="12">{label}</text>'
    )
