"""The ratios to the baselines as a picture."""

from collections.abc import Mapping, Sequence

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PASSED, MISSED, NOT_ASKED, REQUIRED = "#2a7f62", "#b5532a", "#7d8ca3", "#222222"


def draw(
    rows: Sequence[dict], times: Mapping[str, float | None], note: str, path: str
) -> None:
    """Bars of the rows that have a baseline, on a log axis, with what is required.

    Args:
        rows: as `tests.benchmarks.rows.make_row` makes them.
        times: what is required of each by name, None for nothing; others are left out.
        note: the machine, in words.
        path: the PNG to write.
    """
    known = [row for row in rows if row["times_baseline"] and row["name"] in times]
    shown = [(row, times[row["name"]]) for row in reversed(known)]
    figure, axes = plt.subplots(figsize=(11, 1.5 + 0.62 * len(shown)), dpi=120)
    for y, (row, required) in enumerate(shown):
        draw_bar(axes, y, row["times_baseline"], required)
    axes.set_yticks(range(len(shown)), [label(row["name"]) for row, _ in shown])
    axes.set_xscale("log")
    high = max(max(row["times_baseline"], n or 1) for row, n in shown)
    axes.set_xlim(1, high * 4)
    axes.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(ratio))
    axes.set_xlabel(
        "times the baseline, log scale; black mark: required, grey bar: nothing is"
    )
    axes.set_title("tfcap against the usual way", loc="left", weight="bold")
    axes.spines[["top", "right"]].set_visible(False)
    figure.text(0.01, 0.01, note, size=8, color="#555555")
    figure.tight_layout(rect=(0, 0.04, 1, 1))
    figure.savefig(path)
    plt.close(figure)


def draw_bar(axes, y: int, value: float, required: float | None) -> None:
    missed = required is not None and value < required
    color = MISSED if missed else PASSED if required else NOT_ASKED
    axes.barh(y, value, height=0.6, color=color)
    if required:
        axes.vlines(required, y - 0.38, y + 0.38, color=REQUIRED, linewidth=2)
    words = f" {ratio(value)}" + (f", {ratio(required)} required" if missed else "")
    axes.text(max(value, required or 0), y, words, va="center", size=10)


def ratio(value: float, _=None) -> str:
    return f"{value:,.0f} x" if value >= 10 else f"{value:.2g} x"


def label(name: str) -> str:
    return name.replace(", against ", "\nagainst ")
