"""Scores of runs that differ in their seed alone: each, their mean and its spread."""

import statistics
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from records.console import number_table
from tfcap.evaluation.evaluator import Evaluation, write_results
from tfcap.metrics import scoring
from tfcap.runs.ensemble import SCORES


@dataclass(frozen=True)
class SeedScores:
    """Evaluations of the same split, by seed."""

    runs: dict[int, Evaluation]

    def values(self, name: str) -> list[float]:
        return [found.rows()[name][0] for found in self.runs.values()]

    @property
    def mean(self) -> dict[str, float]:
        return {name: statistics.mean(self.values(name)) for name in self.names}

    @property
    def deviation(self) -> dict[str, float | None]:
        """Standard deviation over seeds (divided by n - 1); None of a single one."""
        if len(self.runs) < 2:
            return dict.fromkeys(self.names)
        return {name: statistics.stdev(self.values(name)) for name in self.names}

    @property
    def shuffled(self) -> dict[str, float]:
        """Mean of the controls."""
        each = [found.rows() for found in self.runs.values()]
        return {name: statistics.mean(r[name][1] for r in each) for name in self.names}

    @property
    def names(self) -> list[str]:
        return list(next(iter(self.runs.values())).rows())

    @property
    def settings(self) -> dict[str, Any]:
        """Those of the runs, with what differs put side by side."""
        each = [found.settings for found in self.runs.values()]
        lists = ("models", "checkpoints", "seeds")
        return each[0] | {key: [v for one in each for v in one[key]] for key in lists}

    @property
    def captions(self) -> dict[str, list]:
        """How varied each run's captions are (`metrics.describe`), side by side."""
        each = [scoring.describe(found.captions) for found in self.runs.values()]
        return {key: [one[key] for one in each] for key in each[0]}

    def summary(self) -> dict[str, Any]:
        """What `tfcap evaluate --json` prints: as of a single run, and of each."""
        return {
            "scores": self.mean,
            "deviations": self.deviation,
            "shuffled_photos": self.shuffled,
            "captions": self.captions,
            "settings": self.settings,
            "runs": {seed: found.summary() for seed, found in self.runs.items()},
        }

    def save(self, folder: str) -> None:
        write_results({SCORES: self.summary()}, folder)

    def table(self) -> Table:
        """A row a score, in percent."""
        seeds = [f"seed {seed}" for seed in self.runs]
        table = number_table(
            "percent", *seeds, "mean", "± deviation", "photos shuffled"
        )
        for name in self.names:
            own = [f"{100 * v:.1f}" for v in (*self.values(name), self.mean[name])]
            spread, control = self.deviation[name], self.shuffled[name]
            shown = "" if spread is None else f"{100 * spread:.2f}"
            table.add_row(name, *own, shown, f"{100 * control:.1f}")
        return table
