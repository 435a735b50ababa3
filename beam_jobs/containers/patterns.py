"""Paths of containers, several in one option: braces and wildcards.

    shards-{00000..00099}.tar   a hundred names; the numbers have equal widths
    {train,val}2017.zip         two names
    data/train-*.parquet        all files that match (`*`, `**`, `?`, `[...]`)

A pattern in braces names files that must exist, so that a missing one is noticed.
"""

import itertools
import math
import re
from collections.abc import Iterator

from apache_beam.io.filesystems import FileSystems

from records.errors import UserError
from records.storage.files import exists, named_errors

BRACES = re.compile(r"\{([^{}]*)\}")
NUMBERS = re.compile(r"([0-9]{1,18})\.\.([0-9]{1,18})")
WILDCARD = re.compile(r"[*?\[]")
MOST = 1_000_000  # names


def is_zip(path: str) -> bool:
    """Returns True if a path or pattern names zip files."""
    return path.lower().endswith(".zip")


def expand(pattern: str, option: str = "--photos") -> list[str]:
    """Returns the paths that a pattern names, each once, in order.

    Raises:
        UserError: it names no file, or one that is missing.
    """
    paths: dict[str, None] = {}
    for name in expand_braces(pattern, option):
        paths |= dict.fromkeys(matching(name, option))
    if not paths:
        raise UserError(f"{option}: {pattern} names no file")
    return list(paths)


def expand_braces(pattern: str, option: str = "--photos") -> Iterator[str]:
    """Yields the names of a pattern with braces.

    >>> list(expand_braces("{a,b}-{08..10}.tar"))[:4]
    ['a-08.tar', 'a-09.tar', 'a-10.tar', 'b-08.tar']

    Raises:
        UserError: they are more than `MOST`.
    """
    parts = BRACES.split(pattern)
    choices = [names_in(part) for part in parts[1::2]]
    if math.prod(map(len, choices)) > MOST:
        raise UserError(
            f"{option}: {pattern} names too many files; expected at most {MOST:,}"
        )
    for chosen in itertools.product(*choices):
        between = itertools.zip_longest(parts[::2], chosen, fillvalue="")
        yield "".join(itertools.chain.from_iterable(between))


def names_in(braces: str) -> list[str]:
    """Returns the names that the content of braces lists, or counts."""
    numbers = NUMBERS.fullmatch(braces)
    if not numbers:
        return braces.split(",")
    first, last = map(int, numbers.groups())
    width, last = len(numbers[1]), min(last, first + MOST)
    return [f"{number:0{width}}" for number in range(first, last + 1)]


def matching(name: str, option: str) -> list[str]:
    """Returns the files of a name, or those that match its wildcards."""
    with named_errors("list", name, option):
        if exists(name):
            return [name]
        if not WILDCARD.search(name):
            raise UserError(f"{option}: no file {name}")
        (result,) = FileSystems.match([name])
    paths = sorted(file.path for file in result.metadata_list)
    if not paths:
        raise UserError(f"{option}: no file matches {name}")
    return paths
