"""The benchmark table: python -m tests.benchmarks.run [--records DIR] [--json]

Run from the root of the repository. Writes the rows to build/bench.json and a chart
beside it. A row that misses what is required of it is shown as missed; the exit code is
0 all the same: a benchmark is not a test. With --against it is 1 if a row is slower.
"""

from records.tensorflow_logging import silence_startup

if __name__ == "__main__":
    silence_startup()

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from records.console import run_command
from records.errors import UserError
from records.format.record_set import RecordSet
from records.wording import counted
from tests.benchmarks import (
    build_measures,
    compare,
    export_measures,
    machine,
    measures,
)
from tests.benchmarks.common import QUICK, Sizes
from tests.benchmarks.record_set import make_record_set
from tests.benchmarks.rows import (
    BUILD_LINES,
    EXPORT_LINES,
    LINES,
    Row,
    Samples,
    make_row,
)
from tfcap.cli.malloc import keep_freed_memory

# What is required of a line, by its name; None for one the chart has no place for.
ALL_LINES = (*LINES, *BUILD_LINES, *EXPORT_LINES)
TIMES = {line.name: line.times for line in ALL_LINES if not line.at_most}
QUICK_NOTE = "quick: sizes too small for the figures to mean anything"


def main(argv: Sequence[str] | None = None) -> int:
    args = make_parser().parse_args(argv)
    keep_freed_memory()  # as `tfcap train` does
    return run_command(lambda: bench(args))


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.run",
        description="Measure tfcap against the usual way of doing the same.",
        epilog="example: python -m tests.benchmarks.run --rounds 5",
        allow_abbrev=False,
    )
    parser.add_argument("--records", help="a record set; drawn if not given")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--rounds", type=rounds, default=3, help="samples of each (3)")
    parser.add_argument("--output", default="build/bench.json", metavar="FILE")
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes, to try it out"
    )
    parser.add_argument(
        "--against",
        metavar="FILE",
        help="the --output of an earlier run: show what is slower or faster than there",
    )
    parser.add_argument(
        "--limit",
        type=fraction,
        default=compare.LIMIT,
        help="with --against, the exit code is 1 if a row is slower by more than this "
        f"fraction and than the noise of the rounds ({compare.LIMIT:g})",
    )
    parser.add_argument(
        "--only",
        choices=list(GROUPS),
        help="the Beam job, what training and search take, or an export (all three)",
    )
    return parser


def rounds(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"a number from 1 on; received {text!r}")
    return int(text)


def fraction(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"a fraction from 0 to 1; received {text!r}")
    return value


def bench(args: argparse.Namespace) -> int:
    # First, because it may be the file that is written.
    old = compare.read_rows(args.against) if args.against else {}
    about = machine.describe_machine()
    chosen = [args.only] if args.only else GROUPS
    rows = [row for name in chosen for row in GROUPS[name](args)]
    words = machine.in_words(about) + (f"; {QUICK_NOTE}" if args.quick else "")
    save(rows, args.output, words)
    show(rows, words, args)
    if args.json:
        print(json.dumps(as_object(rows, about, args)))
    return show_changes(old, rows, args) if args.against else 0


def show_changes(
    old: dict[str, dict], rows: Sequence[Row], args: argparse.Namespace
) -> int:
    """Prints what is slower or faster; returns 1 if something is slower, else 0."""
    changes = list(compare.compare(old, compare.as_saved(rows)))
    console(args).print(compare.make_table(changes, args.limit))
    slower = sum(change.is_slower(args.limit) for change in changes)
    if slower:
        note(f"slower by more than {100 * args.limit:g} %: {counted(slower, 'row')}")
    return int(slower > 0)


def training_rows(args: argparse.Namespace) -> list[Row]:
    sizes = QUICK if args.quick else Sizes()
    with tempfile.TemporaryDirectory() as folder:
        records = open_or_draw(args.records, Path(folder), sizes)
        check_pooled(records)
        note("warming up")
        taken = measures.Measures(records, sizes, Path(folder))
        samples = take_samples(taken.sample, args.rounds)
    return [make_row(line, samples) for line in LINES]


def build_rows(args: argparse.Namespace) -> list[Row]:
    sizes = build_measures.QUICK if args.quick else build_measures.BuildSizes()
    with tempfile.TemporaryDirectory() as folder:
        taken = build_measures.BuildMeasures(Path(folder), sizes, note).sample()
    samples = {name: [value] for name, value in taken.items()}
    return [make_row(line, samples) for line in BUILD_LINES]


def export_rows(args: argparse.Namespace) -> list[Row]:
    sizes = export_measures.QUICK if args.quick else export_measures.ExportSizes()
    with tempfile.TemporaryDirectory() as folder:
        note("exporting InceptionV3 with random weights")
        taken = export_measures.ExportMeasures(Path(folder), sizes)
        samples = take_samples(taken.sample, args.rounds)
    return [make_row(line, samples) for line in EXPORT_LINES]


GROUPS = {"training": training_rows, "records": build_rows, "export": export_rows}


def open_or_draw(directory: str | None, folder: Path, sizes: Sizes) -> RecordSet:
    """The record set asked for, or one drawn."""
    if directory:
        return RecordSet.open(directory)
    note(f"drawing {sizes.photos} photos")
    drawn = folder / "drawn"
    drawn.mkdir()
    return make_record_set(str(drawn), sizes.photos)


def check_pooled(records: RecordSet) -> None:
    shape = records.manifest.features.shape
    if len(shape) != 1:
        raise UserError(
            f"{records.directory} holds features of shape {list(shape)}; the baselines "
            "are written for pooled ones. Use a record set made with pooling: avg"
        )


def take_samples(sample: Callable[[], dict[str, float]], count: int) -> Samples:
    """Every measure once per round, so that a busy minute touches one round of all."""
    samples: Samples = {}
    for i in range(count):
        note(f"round {i + 1} of {count}")
        for name, value in sample().items():
            samples.setdefault(name, []).append(value)
    return samples


def save(rows: Sequence[Row], path: str, about: str) -> None:
    from tests.benchmarks import chart

    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(compare.as_saved(rows), file, indent=1)
            file.write("\n")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None
    png = os.path.splitext(path)[0] + ".png"
    chart.draw([row.figures for row in rows], TIMES, about, png)
    note(f"rows in {path}, chart in {png}")


def show(rows: Sequence[Row], about: str, args: argparse.Namespace) -> None:
    output = console(args)
    output.print(make_table(rows, args.rounds))
    output.print(about)


def console(args: argparse.Namespace) -> Console:
    return Console(stderr=args.json, width=None if sys.stdout.isatty() else 150)


def as_object(rows: Sequence[Row], about: dict, args: argparse.Namespace) -> dict:
    return {
        "machine": about,
        "rounds": args.rounds,
        "quick": args.quick,
        "rows": [row.figures for row in rows],
        "spread": {row.figures["name"]: row.spread for row in rows},
    }


def make_table(rows: Sequence[Row], count: int) -> Table:
    title = f"median of {count} rounds (lowest to highest)"
    table = Table(title=title, title_justify="left")
    for column in ("", "value", "spread", "baseline", "times", "limit", "of it"):
        table.add_column(column, justify="right" if column else "left")
    table.add_column("required")
    table.add_column("met")
    for row in rows:
        table.add_row(*cells(row))
    return table


def cells(row: Row) -> list[str]:
    figures = row.figures
    of_limit = figures["of_limit"]
    low, high = row.spread
    return [
        figures["name"],
        f"{number(figures['value'])} {figures['unit']}",
        f"{number(low)} - {number(high)}",
        number(figures["baseline"]),
        number(figures["times_baseline"]),
        number(figures["limit"]),
        "" if of_limit is None else f"{100 * of_limit:.0f} %",
        figures["required"] or "",
        {None: "", True: "[green]yes[/]", False: "[red]no[/]"}[figures["pass"]],
    ]


def number(value: float | None) -> str:
    """Three digits that mean something."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def note(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
