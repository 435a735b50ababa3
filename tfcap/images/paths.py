"""Finds the photo files that a command's arguments name."""

import glob
import os
from collections.abc import Iterator, Sequence

from records.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")


def photo_paths(arguments: Sequence[str]) -> list[str]:
    """Returns the paths of the photos, each once, in the order of the arguments.

    The photos of a folder are those with a name of `SUFFIXES` in it and below, sorted.
    A file may have any name. It need not exist; its reader reports that.

    Args:
        arguments: files, folders and patterns.

    Raises:
        UserError: a folder holds no photo, or a pattern matches nothing.
    """
    paths = (path for argument in arguments for path in expand(argument))
    return list(dict.fromkeys(paths))


def expand(argument: str) -> list[str]:
    """Returns the paths that one argument names."""
    if os.path.isdir(argument):
        if paths := sorted(photos_below(argument)):
            return paths
        raise UserError(f"{argument} holds no photo ({', '.join(SUFFIXES)})")
    if os.path.exists(argument) or not glob.has_magic(argument):
        return [argument]
    if paths := sorted(filter(os.path.isfile, glob.iglob(argument, recursive=True))):
        return paths
    raise UserError(f"no file matches {argument}")


def photos_below(folder: str) -> Iterator[str]:
    for directory, _, names in os.walk(folder):
        for name in names:
            if name.lower().endswith(SUFFIXES):
                yield os.path.join(directory, name)
