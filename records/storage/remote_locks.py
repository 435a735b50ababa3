"""Locks a remote directory by an object in it that names the owner.

A process writes its key to the lock on the condition that the lock is still as it was
read: S3 and Google Cloud Storage decide which of two processes comes first. On other
stores it writes, waits, and reads the lock again; the last to write owns it.

The owner renews the lock every minute. A lock is stale if it was not renewed for ten
minutes, or if its process ran on this host and has ended.

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
from records.storage.files import (
    read_file,
    remove_if_there,
    write_atomically,
    write_if,
)

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
    owner = RemoteLockOwner.this_process(key=uuid.uuid4().hex, seen=time.time())
    ended = threading.Event()
    renewal = threading.Thread(target=renew, args=(path, owner, ended), daemon=True)
    _held.add(owner.key)
    try:
        take(path, output, option, owner)
        renewal.start()
        yield
    finally:
        ended.set()
        if renewal.is_alive():
            renewal.join()
        with suppress(OSError, UserError):  # a lock that is not removed lapses
            if is_of(read_lock(path), owner):
                remove_if_there(path)
        _held.discard(owner.key)


def take(path: str, output: str, option: str, owner: RemoteLockOwner) -> None:
    """Writes the owner into the lock; raises UserError if another process holds it."""
    while True:
        content = read_lock(path)
        refuse_if_held(parse(content), path, output, option)
        if replace(path, content, owner):
            return


def refuse_if_held(
    holder: RemoteLockOwner | None, path: str, output: str, option: str
) -> None:
    """Raises UserError if the process that holds the lock still runs."""
    if holder is None:
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
        with suppress(OSError, UserError):  # the next renewal may succeed
            content = read_lock(path)
            if is_of(content, owner):
                seen = owner.model_copy(update={"seen": time.time()})
                replace(path, content, seen)


def replace(path: str, old: bytes | None, owner: RemoteLockOwner) -> bool:
    """Writes the lock if its content is `old`; returns False if another process did."""
    new = owner.model_dump_json().encode()
    written = write_if(path, old, new)
    if written is not None:
        return written
    write_atomically(path, new)
    time.sleep(SETTLING)
    return is_of(read_lock(path), owner)


def read_lock(path: str) -> bytes | None:
    try:
        return read_file(path)
    except FileNotFoundError:
        return None


def is_of(content: bytes | None, owner: RemoteLockOwner) -> bool:
    holder = parse(content)
    return holder is not None and holder.key == owner.key


def parse(content: bytes | None) -> RemoteLockOwner | None:
    """Returns the owner that a lock names, if it exists and can be parsed."""
    try:
        return RemoteLockOwner.model_validate_json(content or b"")
    except ValidationError:
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
