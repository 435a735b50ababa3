"""What `verify` found: as data for `--json`, and as tables for people."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from rich.table import Column, Table

from records.console import plain_console
from records.format.manifest import Manifest
from records.format.split_summary import describe_splits, split_table
from records.verification.feature_check import SampleResult
from records.verification.shard_checks import Issue, Totals

SHOWN = 50
SHOWN_OF_A_FILE = 6


@dataclass(frozen=True)
class VerificationReport:
    """What `verify` found.

    Attributes:
        directory: the record set.
        manifest: its manifest.
        found: what the records themselves hold.
        problems: all that does not fit; none in a whole record set.
        sample: photos encoded again, if that was asked for.
    """

    directory: str
    manifest: Manifest
    found: Totals
    problems: tuple[Issue, ...]
    sample: SampleResult | None = None

    @property
    def whole(self) -> bool:
        return not self.problems

    @property
    def shards(self) -> int:
        return sum(len(held) for held in self.manifest.shards.values())

    def summary(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "directory": self.directory,
            "whole": self.whole,
            "photos": self.found.photos,
            "captions": self.found.captions,
            "shards": self.shards,
            "sample": self.sample and self.sample.summary(),
            "problems": [problem._asdict() for problem in self.problems],
        }


def print_verdict(verdict: VerificationReport) -> None:
    console = plain_console()
    console.print(split_table(describe_splits(verdict.manifest)))
    if verdict.sample:
        console.print(sample_table(verdict.sample))
    if verdict.whole:
        found = verdict.found
        console.print(
            f"whole: {found.photos} photos, {found.captions} captions in "
            f"{verdict.shards} shards"
        )
        return
    print_problems(verdict, console)


def print_problems(verdict: VerificationReport, console) -> None:
    """A table of problems, so many of each file that no one file hides the others."""
    shown = list(first_of_each(verdict.problems))[:SHOWN]
    console.print(problem_table(shown))
    beyond = len(verdict.problems) - len(shown)
    if beyond:
        console.print(f"... and {beyond} more; --json lists them all")
    number, files = len(verdict.problems), {p.file for p in verdict.problems}
    problems = f"{number} problem" + "s" * (number > 1)
    where = f"{len(files)} file" + "s" * (len(files) > 1)
    console.print(
        f"damaged: {problems} in {where} of {verdict.directory}", soft_wrap=True
    )


def first_of_each(problems: Iterable[Issue]) -> Iterator[Issue]:
    """The first problems of each file, in order."""
    seen: Counter[str] = Counter()
    for problem in problems:
        seen[problem.file] += 1
        if seen[problem.file] <= SHOWN_OF_A_FILE:
            yield problem


def problem_table(problems: Iterable[Issue]) -> Table:
    table = Table(Column("file", overflow="fold"), "record", "problem")
    for file, record, what in problems:
        table.add_row(file, "" if record is None else str(record), what)
    return table


def sample_table(sample: SampleResult) -> Table:
    """How many photos were encoded again, and how far off the worst of them is."""
    table = Table(show_header=False, title="photos encoded again")
    table.add_row("asked for", str(sample.asked))
    table.add_row("compared", str(sample.compared))
    table.add_row("features identical", str(sample.identical))
    if sample.worst_at:
        shard, record, photo = sample.worst_at
        table.add_row("worst relative error", f"{sample.worst:.2g}")
        if sample.worst:
            table.add_row("that of", f"{photo}, {shard} record {record}")
    table.add_row("allowed", f"{sample.tolerance:.2g}")
    return table
