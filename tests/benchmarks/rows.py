"""Samples to rows: medians, ratios and what is required of them."""

from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

Samples = dict[str, list[float]]


@dataclass(frozen=True)
class Line:
    """One line of the table.

    Attributes:
        name: what is measured, and against what.
        unit: of value, baseline and limit.
        value, baseline, limit: names of samples.
        times: at least so many times the baseline.
        share: at least this fraction of the limit.
        below: less than this.
    """

    name: str
    unit: str
    value: str
    baseline: str | None = None
    limit: str | None = None
    times: float | None = None
    share: float | None = None
    below: float | None = None

    @property
    def required(self) -> str | None:
        parts = [
            self.times and f">= {self.times:g} x baseline",
            self.share and f">= {100 * self.share:g} % of limit",
            self.below and f"< {self.below:g} {self.unit}",
        ]
        return " and ".join(part for part in parts if part) or None


class Row(NamedTuple):
    """A line with its figures, and the lowest and highest sample of its value."""

    figures: dict[str, object]
    spread: tuple[float, float]


ROWS_A_SECOND = "rows/s"
LINES = (
    Line(
        "input pipeline, prefix, against a Python generator",
        ROWS_A_SECOND,
        "pipeline.prefix",
        baseline="pipeline.generator",
        limit="pipeline.read",
        times=100,
        share=0.85,
    ),
    Line(
        "input pipeline, prefix, against flat_map",
        ROWS_A_SECOND,
        "pipeline.prefix",
        baseline="pipeline.flat_map",
        times=200,
    ),
    Line(
        "input pipeline, causal, against a Python generator",
        ROWS_A_SECOND,
        "pipeline.causal",
        baseline="pipeline.generator",
        limit="pipeline.read",
        share=0.9,
    ),
    Line("building an epoch's data set, prefix", "ms", "pipeline.built"),
    Line(
        "training step, causal, against the generator and train_on_batch",
        ROWS_A_SECOND,
        "training.causal",
        baseline="training.notebook",
        times=25,
    ),
    Line(
        "training step, prefix, against the generator and train_on_batch",
        ROWS_A_SECOND,
        "training.prefix",
        baseline="training.notebook",
        times=3,
    ),
    Line("training step, causal, waiting for input", "%", "training.waited", below=2),
    Line(
        "beam search, against one predict per word",
        "captions/s",
        "search.beam",
        baseline="search.notebook",
        times=100,
    ),
)


def make_row(line: Line, samples: Samples) -> Row:
    """A line's medians over the rounds, as `make bench` writes them."""
    value, baseline, limit = (
        median(samples[name]) if name else None
        for name in (line.value, line.baseline, line.limit)
    )
    times = value / baseline if baseline else None
    of_limit = value / limit if limit else None
    figures = {
        "name": line.name,
        "value": value,
        "unit": line.unit,
        "baseline": baseline,
        "times_baseline": times,
        "limit": limit,
        "of_limit": of_limit,
        "required": line.required,
        "pass": passes(line, value, times, of_limit),
    }
    return Row(figures, (min(samples[line.value]), max(samples[line.value])))


def passes(
    line: Line, value: float, times: float | None, of_limit: float | None
) -> bool | None:
    """Whether everything required is met; None where nothing is."""
    checks = [
        line.times and times >= line.times,
        line.share and of_limit >= line.share,
        line.below and value < line.below,
    ]
    made = [check for check in checks if check is not None]
    return all(made) if made else None
