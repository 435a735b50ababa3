"""The report of `verify`, as data for `--json` and as tables."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from records.console import plain_console
from records.format.manifest import Manifest
from records.format.split_summary import describe_splits, split_table
from records.verification.feature_check import SampleResult
from records.verification.shard_checks import Issue, Totals
from records.wording import counted

SHOWN = 50
SHOWN_OF_A_FILE = 6


@dataclass(frozen=True)
class VerificationReport:
    """The result of `verify`.

    Attributes:
        directory: the record set.
        manifest: its manifest.
        totals: of the records that were read.
        problems: all issues; none in a whole record set.
        sample: result for the photos encoded again, if any were requested.
    """

    directory: str
    manifest: Manifest
    totals: Totals
    problems: tuple[Issue, ...]
    sample: SampleResult | None = None

    @property
    def whole(self) -> bool:
        return not self.problems

    @property
    def shards(self) -> int:
        return sum(len(held) for held in self.manifest.shards.values())

    def summary(self) -> dict[str, Any]:
        """Returns the object that `--json` prints."""
        return {
            "directory": self.directory,
            "whole": self.whole,
            "photos": self.totals.photos,
            "captions": self.totals.captions,
            "shards": self.shards,
            "sample": self.sample and self.sample.summary(),
            "problems": [problem._asdict() for problem in self.problems],
        }


def print_report(report: VerificationReport) -> None:
    console = plain_console()
    console.print(split_table(describe_splits(report.manifest)))
    if report.sample:
        console.print(sample_table(report.sample))
    if report.whole:
        totals = report.totals
        console.print(
            f"whole: {counted(totals.photos, 'photo')}, "
            f"{counted(totals.captions, 'caption')} in "
            f"{counted(report.shards, 'shard')}"
        )
        return
    print_problems(report, console)


def print_problems(report: VerificationReport, console: Console) -> None:
    """Prints the first problems of each file, so that no file hides the others."""
    shown = list(first_of_each(report.problems))[:SHOWN]
    console.print(problem_table(shown))
    beyond = len(report.problems) - len(shown)
    if beyond:
        console.print(f"... and {beyond} more; --json lists them all")
    problems = counted(len(report.problems), "problem")
    where = counted(len({problem.file for problem in report.problems}), "file")
    console.print(
        f"damaged: {problems} in {where} of {report.directory}", soft_wrap=True
    )


def first_of_each(problems: Iterable[Issue]) -> Iterator[Issue]:
    """Yields the first problems of each file, in order."""
    counts: Counter[str] = Counter()
    for problem in problems:
        counts[problem.file] += 1
        if counts[problem.file] <= SHOWN_OF_A_FILE:
            yield problem


def problem_table(problems: Iterable[Issue]) -> Table:
    table = Table(Column("file", overflow="fold"), "record", "problem")
    for file, record, what in problems:
        table.add_row(file, "" if record is None else str(record), what)
    return table


def sample_table(sample: SampleResult) -> Table:
    """Returns a table of the photos encoded again, with the largest error."""
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
    if sample.mean_deviation is not None:
        shown = f"{sample.mean_deviation:.2g} mean, {sample.worst_deviation:.2g} worst"
        table.add_row(f"{sample.precision} against float32", shown)
    return table
