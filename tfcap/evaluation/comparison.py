"""Comparison with an earlier result: `tfcap evaluate --against FILE`."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from records.console import number_table
from records.errors import UserError
from records.wording import percent
from tfcap.metrics import bootstrap, scoring
from tfcap.metrics.bootstrap import Difference, check_same_photos
from tfcap.metrics.coco_format import Captions, References, read_results
from tfcap.metrics.scoring import Scores


@dataclass(frozen=True)
class Earlier:
    """An earlier result on disk.

    Attributes:
        path: Path of its results file or folder.
        captions: Photo id -> caption.
        references: Photo id -> references.
    """

    path: str
    captions: Captions
    references: References

    @classmethod
    def read(cls, path: str) -> "Earlier":
        """Reads a result.

        Raises:
            UserError: The result is missing or damaged.
        """
        return cls(path, *read_results(path))


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
    def of(cls, this: Scores, references: References, earlier: Earlier) -> "Comparison":
        """Compares two results.

        Raises:
            UserError: Photos or references differ.
        """
        check_same_photos(set(references), set(earlier.captions))
        check_same_references(references, earlier)
        other = scoring.score(earlier.captions, references)
        return cls(earlier.path, bootstrap.compare(this, other))

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
