"""Scores of runs that differ only in their seed, with mean and deviation."""

import statistics
from dataclasses import dataclass, replace
from typing import Any

from rich.table import Table

from records.console import number_table
from records.wording import percent
from tfcap.evaluation.comparison import Comparison, Earlier
from tfcap.evaluation.evaluator import Evaluation, write_results
from tfcap.metrics import scoring
from tfcap.runs.ensemble import SCORES


@dataclass(frozen=True)
class SeedScores:
    """Evaluations of the same split, by seed.

    Attributes:
        runs: Seed -> evaluation.
        comparison: Comparison of their mean with other results, if there are any.
    """

    runs: dict[int, Evaluation]
    comparison: Comparison | None = None

    @property
    def scores(self) -> dict[str, list[float]]:
        """The values of each score, one a run."""
        return self.columns(0)

    @property
    def mean(self) -> dict[str, float]:
        return {n: statistics.mean(values) for n, values in self.scores.items()}

    @property
    def deviation(self) -> dict[str, float | None]:
        """The standard deviation over seeds (of n - 1); None for a single seed."""
        return {
            name: statistics.stdev(values) if len(values) > 1 else None
            for name, values in self.scores.items()
        }

    @property
    def mismatched_mean(self) -> dict[str, float]:
        """The mean of the controls."""
        return {n: statistics.mean(values) for n, values in self.columns(1).items()}

    def columns(self, column: int) -> dict[str, list[float]]:
        """Returns a column of `Evaluation.rows` by name, with a value for each run."""
        rows = [run.rows() for run in self.runs.values()]
        return {name: [row[name][column] for row in rows] for name in rows[0]}

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of the runs, with the values that differ side by side."""
        runs = [run.settings for run in self.runs.values()]
        lists = ("models", "checkpoints", "seeds")
        return runs[0] | {key: [v for run in runs for v in run[key]] for key in lists}

    @property
    def captions(self) -> dict[str, list[Any]]:
        """The variety of the captions of each run (`scoring.describe`)."""
        runs = [scoring.describe(run.captions) for run in self.runs.values()]
        return {key: [run[key] for run in runs] for key in runs[0]}

    def summary(self) -> dict[str, Any]:
        """Returns the object that `tfcap evaluate --json` prints."""
        summary = {
            "scores": self.mean,
            "deviations": self.deviation,
            "shuffled_photos": self.mismatched_mean,
            "captions": self.captions,
            "settings": self.settings,
            "runs": {seed: run.summary() for seed, run in self.runs.items()},
        }
        if self.comparison:
            summary["against"] = self.comparison.summary()
        return summary

    def beside(self, earlier: Earlier) -> "SeedScores":
        """Returns the scores with a comparison of their mean with an earlier result.

        Raises:
            UserError: The earlier result has other photos or references.
        """
        runs = list(self.runs.values())
        scores = [run.scores for run in runs]
        return replace(
            self, comparison=Comparison.of(scores, runs[0].references, earlier)
        )

    def save(self, folder: str) -> None:
        write_results({SCORES: self.summary()}, folder)

    def table(self) -> Table:
        """Returns a table with one row per score, in percent."""
        seeds = [f"seed {seed}" for seed in self.runs]
        table = number_table(
            "percent", *seeds, "mean", "± deviation", "photos shuffled"
        )
        for name, values in self.scores.items():
            deviation = self.deviation[name]
            spread = "" if deviation is None else f"{100 * deviation:.2f}"
            scores = map(percent, (*values, self.mean[name]))
            table.add_row(name, *scores, spread, percent(self.mismatched_mean[name]))
        return table
