"""Locks a remote directory by an object in it that names the owner.

Object stores have no locks, and few of them can create a file only if none exists. So a
process writes its key to the lock, waits, and reads the lock again. Of two processes
that start together, the last to write owns the lock. The owner renews the lock every
minute. A lock is stale if it was not renewed for ten minutes, or if its process ran on
this host and has ended.

Clocks of two hosts must not differ by more than a few minutes. The lock is no
guarantee: a process that is suspended for ten minutes and then resumes still writes.
"""

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from typing import Any, TypeVar

from pydantic import ValidationError

from records.errors import UserError
from records.frozen_model import FrozenModel
from records.storage.files import read_file, remove_if_there, write_atomically

LOGGER = logging.getLogger(__name__)
SETTLING = 1.0  # seconds
RENEWAL = 60.0
STALE = 600.0

_held: set[str] = set()  # keys of this process


Owner = TypeVar("Owner", bound="LockOwner")


class LockOwner(FrozenModel):
    """The process that holds a lock.

    Attributes:
        host: name of its host.
        pid: its process number.
        started: time when it took the lock, in UTC.
    """

    host: str
    pid: int
    started: str

    @classmethod
    def this_process(cls: type[Owner], **more: Any) -> Owner:
        started = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
        return cls(host=socket.gethostname(), pid=os.getpid(), started=started, **more)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.started} UTC"


class RemoteLockOwner(LockOwner):
    """The process that holds a remote lock.

    Attributes:
        key: identifies the lock, because a process may hold several.
        seen: time of the last renewal, in seconds since 1970.
    """

    key: str
    seen: float

    @property
    def gone(self) -> bool:
        if self.host == socket.gethostname():
            return self.key not in _held and not other_process_runs(self.pid)
        return time.time() - self.seen > STALE


@contextmanager
def locked(path: str, output: str, option: str) -> Iterator[None]:
    """Holds the lock while the body runs, and removes it afterwards.

    Args:
        path: of the lock.
        output: the directory that is locked, for messages.
        option: of the command line, that names it.

    Raises:
        UserError: another process holds the lock; names it.
    """
    refuse_if_held(path, output, option)
    owner = RemoteLockOwner.this_process(key=uuid.uuid4().hex, seen=time.time())
    ended = threading.Event()
    renewal = threading.Thread(target=renew, args=(path, owner, ended), daemon=True)
    _held.add(owner.key)
    try:
        write(path, owner)
        time.sleep(SETTLING)
        refuse_if_held(path, output, option, owner.key)
        renewal.start()
        yield
    finally:
        ended.set()
        if renewal.is_alive():
            renewal.join()
        with suppress(OSError, UserError):  # a lock that is not removed lapses
            if is_held_by(path, owner):
                remove_if_there(path)
        _held.discard(owner.key)


def refuse_if_held(path: str, output: str, option: str, key: str | None = None) -> None:
    """Raises UserError if a process that still runs holds the lock with another key."""
    holder = read_holder(path)
    if holder is None or holder.key == key:
        return
    if holder.gone:
        LOGGER.info("taking over %s: %s is gone", output, holder)
        return
    minutes = STALE / 60
    raise UserError(
        f"{option}: another job is writing to {output} ({holder}); wait for it, or "
        f"choose another directory. If it is gone, its lock lapses {minutes:g} minutes "
        f"after it was last written; to go on at once remove {path}"
    )


def renew(path: str, owner: RemoteLockOwner, ended: threading.Event) -> None:
    """Writes the lock every minute until the job ends, unless the lock was removed."""
    while not ended.wait(RENEWAL):
        try:
            if is_held_by(path, owner):
                write(path, owner.model_copy(update={"seen": time.time()}))
        except (OSError, UserError):
            continue  # the next renewal may succeed


def write(path: str, holder: RemoteLockOwner) -> None:
    write_atomically(path, holder.model_dump_json().encode())


def is_held_by(path: str, owner: RemoteLockOwner) -> bool:
    holder = read_holder(path)
    return holder is not None and holder.key == owner.key


def read_holder(path: str) -> RemoteLockOwner | None:
    """Returns the owner that the lock names, if it exists and can be parsed."""
    try:
        return RemoteLockOwner.model_validate_json(read_file(path))
    except (FileNotFoundError, ValidationError):
        return None


def other_process_runs(pid: int) -> bool:
    """Returns True if a process other than this one has this number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid != os.getpid()
