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
        at_most: so many times the baseline.
    """

    name: str
    unit: str
    value: str
    baseline: str | None = None
    limit: str | None = None
    times: float | None = None
    share: float | None = None
    below: float | None = None
    at_most: float | None = None

    @property
    def required(self) -> str | None:
        parts = [
            self.times and f">= {self.times:g} x baseline",
            self.share and f">= {100 * self.share:g} % of limit",
            self.below and f"< {self.below:g} {self.unit}",
            self.at_most and f"<= {self.at_most:g} x baseline",
        ]
        return " and ".join(part for part in parts if part) or None


class Row(NamedTuple):
    """A line with its figures, and the lowest and highest sample of its value."""

    figures: dict[str, object]
    spread: tuple[float, float]


ROWS_A_SECOND = "rows/s"
PHOTOS_A_SECOND = "photos/s"
LINES = (
    Line(
        "input pipeline, prefix, against a Python generator",
        ROWS_A_SECOND,
        "pipeline.prefix",
        baseline="pipeline.generator",
        limit="pipeline.read",
        times=100,
    ),
    Line(
        "input pipeline, prefix, against flat_map",
        ROWS_A_SECOND,
        "pipeline.prefix",
        baseline="pipeline.flat_map",
    ),
    Line(
        "input pipeline, causal, against a Python generator",
        ROWS_A_SECOND,
        "pipeline.causal",
        baseline="pipeline.generator",
        limit="pipeline.read",
    ),
    Line(
        "input pipeline, grid features",
        PHOTOS_A_SECOND,
        "pipeline.grid",
        limit="pipeline.grid_read",
    ),
    Line(
        "input pipeline, peak memory of ten times the photos, against the photos",
        "MiB",
        "pipeline.memory_many",
        baseline="pipeline.memory_few",
        at_most=1.1,
    ),
    Line(
        "resuming in the middle of an epoch, first batch later than a fresh start's",
        "s",
        "pipeline.resume",
        below=1,
    ),
    Line("building a run's data set, prefix", "ms", "pipeline.built"),
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
    Line("training step, causal, waiting for input", "%", "training.waited", below=1),
    Line(
        "beam search, against one predict per word",
        "captions/s",
        "search.beam",
        baseline="search.notebook",
        times=100,
    ),
)
BUILD_LINES = (
    Line(
        "Beam job, MobileNet, of the bare batched loop",
        PHOTOS_A_SECOND,
        "build.mobilenet",
        limit="build.mobilenet_loop",
        share=0.97,
    ),
    Line(
        "Beam job, InceptionV3, against one predict per photo",
        PHOTOS_A_SECOND,
        "build.inception",
        baseline="build.notebook",
        limit="build.inception_loop",
        times=2.5,
        share=0.97,
    ),
    Line(
        "Beam's cost with an encoder that does nothing",
        "us/photo",
        "build.beam_cost",
        below=100,
    ),
    Line(
        "Beam job, one process, against two worker processes",
        PHOTOS_A_SECOND,
        "build.one_process",
        baseline="build.two_workers",
        times=1,
    ),
    Line(
        "Beam job, another vocabulary with --reuse, against the first build",
        PHOTOS_A_SECOND,
        "build.reusing",
        baseline="build.inception",
        times=20,
    ),
    Line(
        "Beam job, peak memory of many photos, against few, pooled features",
        "MiB",
        "build.memory_pooled_many",
        baseline="build.memory_pooled_few",
        at_most=1.1,
    ),
    Line(
        "Beam job, peak memory of many photos, against few, grid features",
        "MiB",
        "build.memory_grid_many",
        baseline="build.memory_grid_few",
        at_most=1.1,
    ),
)
EXPORT_LINES = (
    Line(
        "export, InceptionV3, a photo at a time, of the encoder alone",
        PHOTOS_A_SECOND,
        "export.batch_1",
        limit="export.encoder_1",
    ),
    Line(
        "export, InceptionV3, batches of 8, of the encoder alone",
        PHOTOS_A_SECOND,
        "export.batch_8",
        limit="export.encoder_8",
        share=0.85,
    ),
    Line(
        "export, InceptionV3, batches of 32, of the encoder alone",
        PHOTOS_A_SECOND,
        "export.batch_32",
        limit="export.encoder_32",
    ),
    Line(
        "export, pooled vectors, beams of 5, against one predict per word",
        "captions/s",
        "export.vectors",
        baseline="export.notebook",
        times=100,
    ),
    Line(
        "Beam job of captions, of the export's own on the same batches",
        PHOTOS_A_SECOND,
        "export.bulk",
        limit="export.loop",
        share=0.9,
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
        line.at_most and times <= line.at_most,
    ]
    made = [check for check in checks if check is not None]
    return all(made) if made else None
