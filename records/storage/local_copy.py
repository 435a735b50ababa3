"""Copies of remote files and directories, for libraries that read only a disk."""

import atexit
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from records.errors import UserError
from records.storage.base import BLOCK, is_remote
from records.storage.files import file_sizes, is_directory, named_errors, open_file


@contextmanager
def local_copy(path: str) -> Iterator[str]:
    """Yields the path of a local copy that lasts as long as the body.

    A local path is yielded as it is.

    Args:
        path: A file or a directory.

    Raises:
        UserError: It cannot be copied.
    """
    if not is_remote(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        target = os.path.join(folder, os.path.basename(path.rstrip("/")))
        with named_errors("copy", path):
            _copy(path, target)
        yield target


@functools.lru_cache
def lasting_local_copy(directory: str) -> str:
    """Returns a local copy of a directory that lasts until the process ends.

    Raises:
        UserError: The directory is empty or cannot be read.
    """
    if not is_remote(directory):
        return directory
    folder = tempfile.TemporaryDirectory(prefix="tfcap-")
    atexit.register(folder.cleanup)
    _copy_directory(directory, folder.name)
    if not os.listdir(folder.name):
        raise UserError(f"nothing is in {directory}")
    return folder.name


def for_tensorflow(directory: str) -> str:
    """Returns the directory, or a lasting copy if TensorFlow cannot read it."""
    from records.storage.gfile import is_readable

    return directory if is_readable(directory) else lasting_local_copy(directory)


def _copy(path: str, target: str) -> None:
    if is_directory(path):
        _copy_directory(path, target)
    else:
        _copy_file(path, target)


def _copy_directory(directory: str, target: str) -> None:
    for name in file_sizes(directory, nested=True):
        file_target = os.path.join(target, name)
        os.makedirs(os.path.dirname(file_target), exist_ok=True)
        _copy_file(f"{directory.rstrip('/')}/{name}", file_target)


def _copy_file(path: str, target: str) -> None:
    with open_file(path) as source, open(target, "wb") as file:
        shutil.copyfileobj(source, file, BLOCK)
