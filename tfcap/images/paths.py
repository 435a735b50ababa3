"""The photo files that a command's arguments name: files, folders and patterns."""

import glob
import os
from collections.abc import Iterator, Sequence

from records.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")


def photo_paths(given: Sequence[str]) -> list[str]:
    """Paths in the order given; of a folder the photos in it and below, by name.

    A file is taken whatever its name is, one that is not there as well: to say so is up
    to who reads it.

    Raises:
        UserError: a folder holds no photo, or a pattern matches nothing.
    """
    return list(dict.fromkeys(path for one in given for path in named(one)))


def named(given: str) -> list[str]:
    if os.path.isdir(given):
        found = sorted(in_folder(given))
        if not found:
            raise UserError(f"{given} holds no photo ({', '.join(SUFFIXES)})")
        return found
    if os.path.exists(given) or not glob.has_magic(given):
        return [given]
    found = sorted(filter(os.path.isfile, glob.iglob(given, recursive=True)))
    if not found:
        raise UserError(f"no file matches {given}")
    return found


def in_folder(folder: str) -> Iterator[str]:
    for place, _, names in os.walk(folder):
        yield from (
            os.path.join(place, name)
            for name in names
            if name.lower().endswith(SUFFIXES)
        )
