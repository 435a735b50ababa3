"""Comparison with an earlier result: `tfcap evaluate --against FILE`."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from records.console import number_table
from records.errors import UserError
from records.storage.files import file_sizes, is_directory
from records.wording import percent
from tfcap.metrics import bootstrap, scoring
from tfcap.metrics.bootstrap import Difference, check_same_photos
from tfcap.metrics.coco_format import RESULTS, Captions, References, read_results
from tfcap.metrics.scoring import Scores

SEED_RESULTS = re.compile(rf"seed-(\d+)/{re.escape(RESULTS)}")


@dataclass(frozen=True)
class Earlier:
    """An earlier result on disk, or those of several seeds.

    Attributes:
        path: Path of the results file or folder.
        runs: Captions by photo id, for each run.
        references: Photo id -> references.
    """

    path: str
    runs: tuple[Captions, ...]
    references: References

    @classmethod
    def read(cls, path: str) -> "Earlier":
        """Reads a result, or the folders `seed-0`, `seed-1` ... of a directory.

        Raises:
            UserError: The result is missing or damaged, or seeds have other references.
        """
        runs = [read_results(result) for result in find_results(path)]
        if any(references != runs[0][1] for _, references in runs):
            raise UserError(
                f"the results of the seeds in {path} have different references, so "
                "they have no mean; evaluate all seeds again, with another --output"
            )
        return cls(path, tuple(captions for captions, _ in runs), runs[0][1])


def find_results(path: str) -> list[str]:
    """Returns the results of each seed in a directory; the path itself if none is."""
    names = file_sizes(path, nested=True) if is_directory(path) else {}
    seeds = {
        int(match[1]): name for name in names if (match := SEED_RESULTS.fullmatch(name))
    }
    return [os.path.join(path, name) for _, name in sorted(seeds.items())] or [path]


@dataclass(frozen=True)
class Comparison:
    """The differences of the scores of two results.

    Attributes:
        path: Path of the earlier result.
        differences: Name of each score -> difference.
    """

    path: str
    differences: dict[str, Difference]

    @classmethod
    def of(
        cls, these: Sequence[Scores], references: References, earlier: Earlier
    ) -> "Comparison":
        """Compares the mean of some results with the mean of earlier ones.

        Raises:
            UserError: Photos or references differ.
        """
        for captions in earlier.runs:
            check_same_photos(set(references), set(captions))
        check_same_references(references, earlier)
        others = [scoring.score(captions, references) for captions in earlier.runs]
        return cls(earlier.path, bootstrap.compare(these, others))

    def summary(self) -> dict[str, Any]:
        """Returns the object that `tfcap evaluate --json` prints."""
        return {
            "file": self.path,
            "resamples": bootstrap.RESAMPLES,
            "seed": bootstrap.SEED,
            "scores": {
                name: {**vars(score), "difference": score.difference}
                for name, score in self.differences.items()
            },
        }

    def table(self) -> Table:
        """Returns a table with one row per score, in percent."""
        title = f"against {self.path}, {bootstrap.RESAMPLES:,} samples of the photos"
        columns = "this", "the other", "difference", "95 % from", "to", "p"
        table = number_table("percent", *columns, title=title)
        for name, score in self.differences.items():
            scores = map(percent, (score.this, score.other))
            ends = (score.difference, *score.interval)
            signed = [f"{100 * value:+.2f}" for value in ends]
            table.add_row(name, *scores, *signed, f"{score.p:.4f}")
        return table


def check_same_references(ours: References, earlier: Earlier) -> None:
    for photo, texts in sorted(ours.items()):
        these, others = Counter(texts), Counter(earlier.references[photo])
        if unshared := sorted((these - others) + (others - these)):
            raise UserError(
                f"the result in {earlier.path} was scored against other references: it "
                f"has {others.total()} of {photo!r}, this one {these.total()}, and "
                f"{unshared[0]!r} is not in both. Score both on records of the same "
                "captions"
            )
