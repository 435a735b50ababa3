"""Cuts a series of items into batches."""

import itertools
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def batched(items: Iterable[Item], n: int) -> Iterator[tuple[Item, ...]]:
    """Yields `n` items at a time; the last batch may be smaller.

    `itertools.batched` has the same signature, from Python 3.12.

    >>> list(batched("abcde", 2))
    [('a', 'b'), ('c', 'd'), ('e',)]
    """
    remaining = iter(items)
    while batch := tuple(itertools.islice(remaining, n)):
        yield batch
