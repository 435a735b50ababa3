"""Finds runs that differ only in their seed, in one directory.

WORKDIR/seed-0, WORKDIR/seed-1 ...    a work directory each
"""

import os
import re
from collections.abc import Iterable

from records.errors import UserError
from records.storage.files import exists, file_sizes
from tfcap.runs.workdir import CONFIG

HELD = re.compile(rf"seed-(\d+)/{re.escape(CONFIG)}")


def seed_folder(path: str, seed: int) -> str:
    return os.path.join(path, f"seed-{seed}")


def find_seeds(path: str) -> dict[int, str]:
    """Returns the work directory of each seed that has started, by ascending seed."""
    try:
        matches = map(HELD.fullmatch, file_sizes(path, nested=True))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    seeds = sorted(int(name[1]) for name in matches if name)
    return {seed: seed_folder(path, seed) for seed in seeds}


def find_runs(paths: Iterable[str]) -> list[str]:
    """Replaces each path that holds runs of several seeds by their directories."""
    return [run for path in paths for run in find_seeds(path).values() or [path]]


def check_no_run(path: str) -> None:
    """Raises UserError if `path` is the work directory of a single run."""
    if exists(os.path.join(path, CONFIG)):
        raise UserError(
            f"{path} is the work directory of a single run: name another --workdir "
            "for --seeds, or leave it out"
        )


def check_no_seeds(path: str) -> None:
    """Raises UserError if `path` holds runs of several seeds."""
    if seeds := find_seeds(path):
        raise UserError(
            f"{path} holds runs of the {in_words(seeds)}: add --seeds to resume "
            "them, or name another --workdir"
        )


def start_of(path: str, seed: int) -> str:
    """Returns the work directory that a run of this seed starts from.

    Args:
        path: of `--init`: a work directory, or a directory of runs of several seeds.
        seed: the seed of the run.

    Raises:
        UserError: `path` holds runs of several seeds, but none of this seed.
    """
    runs = find_seeds(path)
    if runs and seed not in runs:
        raise UserError(
            f"--init: {path} holds runs of the {in_words(runs)}, none of {seed}; "
            "train as many there first, or name one of its runs"
        )
    return runs.get(seed, path)


def in_words(seeds: Iterable[int]) -> str:
    return f"seeds {', '.join(map(str, seeds))}"
