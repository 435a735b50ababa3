"""One process at a time in a directory that is written to: a lock file in it.

The file says who holds it; what holds is the operating system's lock on it, which ends
with the process however that ends. So a lock file without one is stale.

Only on local file systems (and network ones that pass locks on); for a remote directory
see remote_locks.py.
"""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pydantic import ValidationError

from records.errors import UserError
from records.storage import remote_locks
from records.storage.base import is_remote
from records.storage.remote_locks import LockOwner

FILE_NAME = "lock"


@contextmanager
def locked(folder: str, output: str, option: str = "--output") -> Iterator[None]:
    """Holds the lock while the body runs; removes it however that ends.

    Args:
        folder: an existing directory for the lock file.
        output: the directory that is locked, for messages.
        option: of the command line, that names it.

    Raises:
        UserError: another process holds it; says which.
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
        # The body's last step may have removed the folder, and another made it anew.
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
        # Its holder removed it between our opening and locking it: once more.
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
        print(f"{path} cannot be locked: {error.strerror}", file=sys.stderr)


def replace_holder(file: int, path: str, output: str, option: str) -> None:
    """Takes over what a process that is gone has left, if it was one of this host."""
    old, own = read_holder(file), LockOwner.this_process()
    if old and old.host != own.host:
        # Not every network file system passes locks on, so it may be alive.
        raise UserError(
            f"{option}: another job is writing to {output} ({old}); if that one is "
            f"gone, remove {path}"
        )
    if old:
        print(f"taking over {output}: {old} is gone", file=sys.stderr)
    try:
        os.ftruncate(file, 0)
        os.pwrite(file, own.model_dump_json().encode(), 0)
    except OSError as error:
        os.remove(path)
        raise UserError(f"{option}: cannot write {path}: {error.strerror}") from None


def read_holder(file: int) -> LockOwner | None:
    """Who is written in the lock file, if anybody is yet."""
    try:
        return LockOwner.model_validate_json(os.pread(file, 1 << 16, 0))
    except ValidationError:
        return None


def is_at(path: str, file: int) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file))
    except FileNotFoundError:
        return False
