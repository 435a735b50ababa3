"""Compares the rows of a run with those of an earlier one.

A row's speed is its figure, or the ratio to its baseline if it has one: a busy machine
slows both. Of figures that are no rate (seconds, MiB, %) the inverse is taken.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rich.table import Table

from records.errors import UserError
from tests.benchmarks.rows import Row

LIMIT = 0.1
NEEDED = {"name", "value", "unit", "baseline"}


class Speed(NamedTuple):
    """The speed of a row: the median of the rounds, the lowest and the highest."""

    median: float
    low: float
    high: float


class Change(NamedTuple):
    """The speed of a row, as a multiple of the earlier one.

    Attributes:
        name: of the row.
        ratio: of the medians; None if the row is new, or its figure is not positive.
        low, high: ratio of the lowest to the highest of before, and the reverse.
    """

    name: str
    ratio: float | None
    low: float = 0.0
    high: float = 0.0

    def is_slower(self, limit: float) -> bool:
        """Returns whether it is slower by more than a fraction, and than the noise."""
        return self.ratio is not None and self.ratio < 1 - limit and self.high < 1

    def is_faster(self, limit: float) -> bool:
        return self.ratio is not None and self.ratio > 1 / (1 - limit) and self.low > 1


def as_saved(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Returns rows in the form that `read_rows` reads."""
    return [{**row.figures, "spread": row.spread} for row in rows]


def read_rows(path: str) -> dict[str, dict[str, Any]]:
    """Returns the rows that an earlier run has written, by name.

    Args:
        path: what `--output` named, or what `--json` has printed.

    Raises:
        UserError: it is neither.
    """
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        if isinstance(content, dict):  # of --json
            spread = content["spread"]
            content = [{**r, "spread": spread[r["name"]]} for r in content["rows"]]
        rows = {row["name"]: row for row in content}
        for row in rows.values():
            if not set(row) >= NEEDED:
                raise KeyError(NEEDED - set(row))
            speed(row)
        return rows
    except OSError as error:
        raise UserError(f"--against: cannot read {path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"--against: {path} is no output of python -m tests.benchmarks.run; "
            "expected the file of --output of an earlier run"
        ) from None


def speed(row: Mapping[str, Any]) -> Speed | None:
    """Returns the speed of a row; None if its figure is not positive."""
    low, high = row.get("spread") or (row["value"], row["value"])
    median, low, high = (x / (row["baseline"] or 1) for x in (row["value"], low, high))
    if min(median, low, high) <= 0:
        return None
    if row["unit"].endswith("/s"):
        return Speed(median, low, high)
    return Speed(1 / median, 1 / high, 1 / low)


def compare(
    old: Mapping[str, Mapping[str, Any]], new: Sequence[Mapping[str, Any]]
) -> Iterator[Change]:
    """Yields the change of each new row."""
    for row in new:
        before = speed(old[row["name"]]) if row["name"] in old else None
        now = speed(row)
        if before is None or now is None:
            yield Change(row["name"], None)
            continue
        low, high = now.low / before.high, now.high / before.low
        yield Change(row["name"], now.median / before.median, low, high)


def make_table(changes: Sequence[Change], limit: float) -> Table:
    title = f"speed as a multiple of before; marked beyond {100 * limit:g} % and noise"
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for column in ("speed", "rounds", ""):
        table.add_column(column, justify="right")
    for change in changes:
        table.add_row(change.name, *cells(change, limit))
    return table


def cells(change: Change, limit: float) -> tuple[str, str, str]:
    if change.ratio is None:
        return "", "", "not compared"
    word = "[green]faster[/]" if change.is_faster(limit) else ""
    word = "[red]slower[/]" if change.is_slower(limit) else word
    return f"{change.ratio:.2f}", f"{change.low:.2f} - {change.high:.2f}", word
