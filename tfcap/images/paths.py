"""Finds the photo files that a command's arguments name."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence

from records.errors import UserError
from records.storage.base import is_remote
from records.storage.files import file_sizes, is_directory, named_errors

SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")


def photo_paths(arguments: Sequence[str]) -> list[str]:
    """Returns the paths of the photos, each once, in the order of the arguments.

    The photos of a folder are those with a name of `SUFFIXES` in it and below, sorted.
    A file may have any name. It need not exist; its reader reports that.

    Args:
        arguments: files, folders and patterns; remote files and folders.

    Raises:
        UserError: a folder holds no photo, or a pattern matches nothing.
    """
    paths = (path for argument in arguments for path in expand(argument))
    return list(dict.fromkeys(paths))


def expand(argument: str) -> list[str]:
    """Returns the paths that one argument names."""
    if is_remote(argument):
        return remote_paths(argument)
    if os.path.isdir(argument):
        return at_least_one(photos_below(argument), argument)
    if os.path.exists(argument) or not glob.has_magic(argument):
        return [argument]
    if paths := sorted(filter(os.path.isfile, glob.iglob(argument, recursive=True))):
        return paths
    raise UserError(f"no file matches {argument}")


def remote_paths(argument: str) -> list[str]:
    """Returns the path of a file, or those of the photos of a folder.

    A remote argument is no pattern: addresses of the web may hold a question mark.
    """
    if not is_directory(argument):
        return [argument]
    folder = argument.rstrip("/")
    with named_errors("list", folder):
        names = file_sizes(folder, nested=True)
    paths = (f"{folder}/{name}" for name in names if is_photo(name))
    return at_least_one(paths, argument)


def at_least_one(paths: Iterable[str], folder: str) -> list[str]:
    if found := sorted(paths):
        return found
    raise UserError(f"{folder} holds no photo ({', '.join(SUFFIXES)})")


def is_photo(name: str) -> bool:
    return name.lower().endswith(SUFFIXES)


def photos_below(folder: str) -> Iterator[str]:
    for directory, _, names in os.walk(folder):
        for name in names:
            if is_photo(name):
                yield os.path.join(directory, name)
