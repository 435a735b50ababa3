"""Sorting in blocks gives what sorting at once gives."""

import random

import pytest

from beam_jobs.io import sorting
from beam_jobs.io.sorting import sorted_lines

LINES = [f"{word}\n" for word in ("b", "a", "é", "a", "\u2028x\x85", "日本", "")]


@pytest.mark.parametrize("at_once", [1, 2, 3, 100])
def test_lines_are_sorted_by_blocks(monkeypatch, at_once):
    monkeypatch.setattr(sorting, "AT_ONCE", at_once)
    shuffled = random.Random(0).sample(LINES, len(LINES))
    assert list(sorted_lines(shuffled)) == sorted(LINES)


def test_of_nothing_comes_nothing():
    assert list(sorted_lines(iter(()))) == []


def test_no_more_than_a_block_is_in_memory(monkeypatch):
    monkeypatch.setattr(sorting, "AT_ONCE", 4)
    blocks = []
    keep = sorting.keep

    def count(lines, file):
        blocks.append(len(lines))
        keep(lines, file)

    monkeypatch.setattr(sorting, "keep", count)
    assert len(list(sorted_lines(f"{n}\n" for n in range(10)))) == 10
    assert blocks == [4, 4, 2]
