"""Locks a directory, so that one process at a time writes to it.

The lock file names its owner. The lock itself is the operating system's lock on that
file, which ends with the process. So a lock file without such a lock is stale.

This works on local file systems, and on network file systems that support locks; for
remote directories see `remote_locks`.
"""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pydantic import ValidationError

from records.errors import UserError
from records.storage import remote_locks
from records.storage.base import is_remote
from records.storage.remote_locks import LockOwner

LOGGER = logging.getLogger(__name__)
FILE_NAME = "lock"


@contextmanager
def locked(folder: str, output: str, option: str = "--output") -> Iterator[None]:
    """Holds the lock while the body runs, and removes it afterwards.

    Args:
        folder: an existing directory for the lock file.
        output: the directory that is locked, for messages.
        option: of the command line, that names it.

    Raises:
        UserError: another process holds the lock; names it.
    """
    path = os.path.join(folder, FILE_NAME)
    if is_remote(output):
        with remote_locks.locked(path, output, option):
            yield
        return
    file = take(path, output, option)
    try:
        yield
    finally:
        # The body may have removed the folder, and another process may have made it.
        with suppress(FileNotFoundError):
            if is_at(path, file):
                os.remove(path)
        os.close(file)


def take(path: str, output: str, option: str) -> int:
    """Opens and locks the file, and writes this process into it."""
    while True:
        file = open_lock(path, option)
        try:
            lock(file, path, output, option)
            if is_at(path, file):
                replace_holder(file, path, output, option)
                return file
        except BaseException:
            os.close(file)
            raise
        # The former owner removed the file after it was opened here: try once more.
        os.close(file)


def open_lock(path: str, option: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise UserError(f"{option}: cannot make {path}: {error.strerror}") from None


def lock(file: int, path: str, output: str, option: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = read_holder(file) or "process unknown"
        raise UserError(
            f"{option}: another job is writing to {output} ({holder}); wait for "
            "it, or choose another directory"
        ) from None
    except OSError as error:
        LOGGER.warning("%s cannot be locked: %s", path, error.strerror)


def replace_holder(file: int, path: str, output: str, option: str) -> None:
    """Takes over the lock file of an ended process, if it ran on this host."""
    old, new = read_holder(file), LockOwner.this_process()
    if old and old.host != new.host:
        # Not every network file system supports locks, so the owner may still run.
        raise UserError(
            f"{option}: another job is writing to {output} ({old}); if that one is "
            f"gone, remove {path}"
        )
    if old:
        LOGGER.info("taking over %s: %s is gone", output, old)
    try:
        os.ftruncate(file, 0)
        os.pwrite(file, new.model_dump_json().encode(), 0)
    except OSError as error:
        os.remove(path)
        raise UserError(f"{option}: cannot write {path}: {error.strerror}") from None


def read_holder(file: int) -> LockOwner | None:
    """Returns the owner that the lock file names, if it names one yet."""
    try:
        return LockOwner.model_validate_json(os.pread(file, 1 << 16, 0))
    except ValidationError:
        return None


def is_at(path: str, file: int) -> bool:
    """Returns True if the open file is the one that the path names."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file))
    except FileNotFoundError:
        return False
