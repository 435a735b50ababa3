"""Sorts lines with a bounded number of them in memory."""

import heapq
import itertools
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from tempfile import TemporaryFile
from typing import IO

AT_ONCE = 1 << 16  # lines: some tens of megabytes


def sorted_lines(lines: Iterable[str]) -> Iterator[str]:
    """Yields lines, each with its end, in ascending order.

    Sorted parts wait in temporary files and are merged.
    """
    lines = iter(lines)
    with ExitStack() as files:
        parts = []
        while some := sorted(itertools.islice(lines, AT_ONCE)):
            file = TemporaryFile("w+", encoding="utf-8", newline="\n")  # noqa: SIM115
            parts.append(files.enter_context(file))
            keep(some, file)
        yield from heapq.merge(*parts)


def keep(lines: list[str], file: IO[str]) -> None:
    """Writes lines, and rewinds the file."""
    file.writelines(lines)
    file.seek(0)
