"""One process at a time in a remote directory: an object in it that says who is there.

Object stores have no locks, and few of them can make a file only if there is none. So
a process writes its name into the lock, waits, and looks whether its name still stands
there; of two that come at once the later to write has it. It writes it again every
minute. A lock that has not been written for ten minutes, or whose process ran on this
host and is gone, is stale.

Clocks of two hosts must not differ by more than some minutes, and it is no proof: a
process that is stopped for ten minutes and then goes on is not kept out.
"""

import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone

from pydantic import BaseModel, ConfigDict, ValidationError

from records.errors import UserError
from records.storage.files import read_file, remove_if_there, write_atomically

SETTLING = 1.0  # seconds
RENEWAL = 60.0
STALE = 600.0

_held: set[str] = set()  # keys of this process


class LockOwner(BaseModel):
    """The process that holds a lock; `started` is when it took it, in UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    pid: int
    started: str

    @classmethod
    def this_process(cls, **more) -> "LockOwner":
        started = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
        return cls(host=socket.gethostname(), pid=os.getpid(), started=started, **more)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.started} UTC"


class RemoteLockOwner(LockOwner):
    """The process that holds a lock.

    Attributes:
        key: of this one lock.
        seen: when it was last written, in seconds since 1970.
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
    """Holds the lock while the body runs; removes it however that ends.

    Args:
        path: of the lock.
        output: the directory that is locked, for messages.
        option: of the command line, that names it.

    Raises:
        UserError: another process holds it; says which.
    """
    refuse_if_held(path, output, option)
    own = RemoteLockOwner.this_process(key=uuid.uuid4().hex, seen=time.time())
    ended = threading.Event()
    renewal = threading.Thread(target=renew, args=(path, own, ended), daemon=True)
    _held.add(own.key)
    try:
        write(path, own)
        time.sleep(SETTLING)
        refuse_if_held(path, output, option, own.key)
        renewal.start()
        yield
    finally:
        ended.set()
        if renewal.is_alive():
            renewal.join()
        with suppress(OSError, UserError):  # what cannot be removed lapses
            if is_own(path, own):
                remove_if_there(path)
        _held.discard(own.key)


def refuse_if_held(path: str, output: str, option: str, own: str | None = None) -> None:
    holder = read_holder(path)
    if holder is None or holder.key == own:
        return
    if holder.gone:
        print(f"taking over {output}: {holder} is gone", file=sys.stderr)
        return
    minutes = STALE / 60
    raise UserError(
        f"{option}: another job is writing to {output} ({holder}); wait for it, or "
        f"choose another directory. If it is gone, its lock lapses {minutes:g} minutes "
        f"after it was last written; to go on at once remove {path}"
    )


def renew(path: str, own: RemoteLockOwner, ended: threading.Event) -> None:
    """Writes the lock again and again; not where the job's end has removed it."""
    while not ended.wait(RENEWAL):
        try:
            if is_own(path, own):
                write(path, own.model_copy(update={"seen": time.time()}))
        except (OSError, UserError):
            continue  # the next time may do


def write(path: str, holder: RemoteLockOwner) -> None:
    write_atomically(path, holder.model_dump_json().encode())


def is_own(path: str, own: RemoteLockOwner) -> bool:
    holder = read_holder(path)
    return holder is not None and holder.key == own.key


def read_holder(path: str) -> RemoteLockOwner | None:
    """Who is written in the lock, if it is there and can be read."""
    try:
        return RemoteLockOwner.model_validate_json(read_file(path))
    except (FileNotFoundError, ValidationError):
        return None


def other_process_runs(pid: int) -> bool:
    """Whether there is a process of this number that is not this one."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid != os.getpid()
