"""One job at a time on an output: a lock file in its folder of reports.

The file says who holds it; what holds is the operating system's lock on it, which ends
with the process however that ends. So a lock file without one is stale.

Only on local file systems (and network ones that pass locks on): elsewhere nothing is
locked. A job that is only submitted to another machine is guarded while the command
runs, not after.
"""

import fcntl
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone

from pydantic import BaseModel, ConfigDict, ValidationError

from records.errors import UserError

FILE_NAME = "lock"


class Holder(BaseModel):
    """The process that holds a lock; `started` is when it took it, in UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    pid: int
    started: str

    @classmethod
    def this_process(cls) -> "Holder":
        started = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
        return cls(host=socket.gethostname(), pid=os.getpid(), started=started)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.started} UTC"


@contextmanager
def locked(folder: str, output: str) -> Iterator[None]:
    """Holds the lock while the body runs; removes it however that ends.

    Args:
        folder: an existing directory for the lock file.
        output: what is locked, for messages.

    Raises:
        UserError: another job holds it; says which.
    """
    if "://" in output:
        yield
        return
    path = os.path.join(folder, FILE_NAME)
    file = take(path, output)
    try:
        yield
    finally:
        # The job's last step may have removed the folder, and another job made it anew.
        with suppress(FileNotFoundError):
            if is_at(path, file):
                os.remove(path)
        os.close(file)


def take(path: str, output: str) -> int:
    """Opens and locks the file, and writes this process into it."""
    while True:
        file = open_lock(path)
        try:
            lock(file, path, output)
            if is_at(path, file):
                replace_holder(file, path, output)
                return file
        except BaseException:
            os.close(file)
            raise
        # Its holder removed it between our opening and locking it: once more.
        os.close(file)


def open_lock(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise UserError(f"--output: cannot make {path}: {error.strerror}") from None


def lock(file: int, path: str, output: str) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = read_holder(file) or "process unknown"
        raise UserError(
            f"--output: another job is writing to {output} ({holder}); wait for "
            "it, or choose another directory"
        ) from None
    except OSError as error:
        print(f"{path} cannot be locked: {error.strerror}", file=sys.stderr)


def replace_holder(file: int, path: str, output: str) -> None:
    """Takes over what a process that is gone has left, if it was one of this host."""
    old, own = read_holder(file), Holder.this_process()
    if old and old.host != own.host:
        # Not every network file system passes locks on, so it may be alive.
        raise UserError(
            f"--output: another job is writing to {output} ({old}); if that one is "
            f"gone, remove {path}"
        )
    if old:
        print(f"taking over {output}: {old} is gone", file=sys.stderr)
    os.ftruncate(file, 0)
    os.pwrite(file, own.model_dump_json().encode(), 0)


def read_holder(file: int) -> Holder | None:
    """Who is written in the lock file, if anybody is yet."""
    try:
        return Holder.model_validate_json(os.pread(file, 1 << 16, 0))
    except ValidationError:
        return None


def is_at(path: str, file: int) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file))
    except FileNotFoundError:
        return False
