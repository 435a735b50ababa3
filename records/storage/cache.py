"""Keeps verified copies of remote files in a folder of this machine, up to a bound.

    FOLDER/SHA256        a whole file
    FOLDER/SHA256.part   a file that a process fetches, or has begun to
    FOLDER/lock          held while a process makes room for a file

A process holds the operating system's lock on each file that it fetches or is about to
read. The lock ends with the process, so any file without one may be removed. A process
that was killed leaves `.part` files, which are never taken for whole.
"""

import argparse
import errno
import fcntl
import hashlib
import logging
import math
import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import IO, Any, BinaryIO, NamedTuple, TypeVar

from records.console import short_digest
from records.errors import UserError
from records.storage.base import StorageUserError
from records.storage.files import file_digest, make_output, named_errors, open_file
from records.storage.locks import is_at

LOGGER = logging.getLogger(__name__)
GIGABYTE = 10**9
DEFAULT_GIGABYTES = 50.0
PART, LOCK = ".part", "lock"
DIGEST, COPY = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{64}(\.part)?")
BLOCK = 8 << 20  # bytes of a request: an object store sends few bytes as slowly
PATIENCE = 120.0  # seconds without a byte
WAIT, LONGEST_WAIT = 1.0, 16.0  # seconds after a failure; they double
AT_A_TIME = 4

Result = TypeVar("Result")


class StoredFile(NamedTuple):
    """A remote file: its path, its size in bytes and its SHA-256 in hexadecimal."""

    path: str
    size: int
    sha256: str


class FileCache:
    """A folder with copies of remote files; several processes may share it.

    Files that were not used for the longest time are removed for others.

    Args:
        folder: of the copies; made when the first file is fetched.
        gigabytes: most that the copies take.

    Attributes:
        failure: the error of a fetch by `fetch_group`, because TensorFlow shows only
            its text.
    """

    def __init__(self, folder: str | None = None, gigabytes: float | None = None):
        self.folder = folder or default_folder()
        self.most = round((gigabytes or DEFAULT_GIGABYTES) * GIGABYTE)
        self.failure: UserError | None = None
        self._verified: set[str] = set()

    def path_of(self, file: StoredFile) -> str:
        """Returns the path of a file's copy, which need not exist."""
        if not DIGEST.fullmatch(file.sha256):  # it may lead out of the folder
            raise UserError(f"{file.path}: {file.sha256!r} is not a SHA-256")
        return os.path.join(self.folder, file.sha256)

    def each(self, files: Iterable[StoredFile]) -> Iterator[str]:
        """Yields the path of each file's copy; the next one is fetched meanwhile.

        Raises:
            UserError: a file cannot be fetched; names it.
        """
        waiting: deque[Future[BinaryIO]] = deque()
        for file in files:
            waiting.append(start(self.pin, file))
            if len(waiting) > 1:
                yield from yield_pinned(waiting.popleft().result())
        for last in waiting:
            yield from yield_pinned(last.result())

    def group_fetcher(self) -> Callable[[Sequence[StoredFile]], None]:
        """Returns a function that fetches the files of a group, several at a time.

        Copies of a group are not removed before the next group but one is asked for.
        So a group can be read while the next one is fetched.
        """
        groups: deque[list[BinaryIO]] = deque()
        at_a_time = threading.Semaphore(AT_A_TIME)

        def pin(file: StoredFile) -> BinaryIO:
            with at_a_time:
                return self.pin(file)

        def fetch_group(files: Sequence[StoredFile]) -> None:
            while len(groups) > 1:
                for copy in groups.popleft():
                    copy.close()
            try:
                started = [start(pin, file) for file in files]
                groups.append([copy.result() for copy in started])
            except UserError as error:
                self.failure = error
                raise

        return fetch_group

    def pin(self, file: StoredFile) -> BinaryIO:
        """Returns a file's copy, open; it is not removed before it is closed.

        Raises:
            UserError: the file cannot be fetched; names it.
        """
        path = self.path_of(file)
        make_output(self.folder, "--cache")
        with named_errors("keep a copy in", self.folder, "--cache"):
            while (copy := self._open_copy(file, path)) is None:
                self._fetch(file, path)
        return copy

    def _open_copy(self, file: StoredFile, path: str) -> BinaryIO | None:
        """Returns the copy, or None if there is none or it is damaged."""
        with suppress(FileNotFoundError):
            copy = open(path, "rb")  # noqa: SIM115
            fcntl.flock(copy, fcntl.LOCK_SH)
            if is_at(path, copy.fileno()) and self._is_whole(file, path):
                os.utime(path)
                return copy
            copy.close()
        return None

    def _is_whole(self, file: StoredFile, path: str) -> bool:
        """Verifies the copy the first time that this process uses it."""
        if path not in self._verified:
            if file_digest(path) != file.sha256:
                LOGGER.warning("%s was damaged; %s is fetched again", path, file.path)
                os.remove(path)
                return False
            self._verified.add(path)
        return True

    def _fetch(self, file: StoredFile, path: str) -> None:
        with locked_file(path + PART) as part:
            if os.path.exists(path):  # another process fetched it meanwhile
                return
            self._make_room(file, part)
            download(file, part)
            self._verified.add(path)
            os.replace(path + PART, path)

    def _make_room(self, file: StoredFile, part: IO[bytes]) -> None:
        """Reserves a file's bytes on the disk, and removes others until they fit."""
        with locked_file(os.path.join(self.folder, LOCK), lasting=True):
            problem = self._reserve(file.size, part)
            while problem:
                if not self._remove_oldest():
                    raise UserError(
                        f"--cache: no room in {self.folder} for {file.path} "
                        f"({file.size:,} bytes): {problem}"
                    )
                problem = self._reserve(file.size, part)

    def _reserve(self, size: int, part: IO[bytes]) -> str | None:
        """Returns the problem if the bytes exceed the bound or do not fit the disk."""
        used = sum(kept for _, kept, _ in self._copies())
        if used + size > self.most:
            return (
                f"--cache_gb allows {self.most / GIGABYTE:g} GB, and the "
                f"{used:,} bytes of other copies are in use; allow more"
            )
        try:
            if size:
                os.posix_fallocate(part.fileno(), 0, size)
        except OSError as error:
            part.truncate(0)
            if error.errno != errno.ENOSPC:
                raise
            return (
                "the disk is full, and all copies are in use; free space, or name a "
                "folder on another disk"
            )
        return None

    def _copies(self) -> Iterator[tuple[int, int, str]]:
        """Yields when each copy was last used, its size in bytes and its path."""
        for name in filter(COPY.fullmatch, os.listdir(self.folder)):
            path = os.path.join(self.folder, name)
            with suppress(FileNotFoundError):  # renamed or removed meanwhile
                status = os.stat(path)
                yield status.st_mtime_ns, status.st_size, path

    def _remove_oldest(self) -> bool:
        """Removes the copy that was not used for longest; False if all are in use."""
        for _, _, path in sorted(self._copies()):
            with suppress(BlockingIOError, FileNotFoundError), open(path, "rb") as copy:
                fcntl.flock(copy, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.remove(path)
                self._verified.discard(path)
                return True
        return False


def default_folder() -> str:
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(caches, "tfcap", "records")


def start(function: Callable[..., Result], *arguments: Any) -> "Future[Result]":
    """Calls a function in a thread that the end of the process does not wait for.

    Threads of an executor are waited for, and a server may be silent for minutes.
    """
    future: Future[Result] = Future()

    def call() -> None:
        try:
            future.set_result(function(*arguments))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    return future


def yield_pinned(copy: BinaryIO) -> Iterator[str]:
    with copy:
        yield copy.name


@contextmanager
def locked_file(path: str, lasting: bool = False) -> Iterator[IO[bytes]]:
    """Yields a file that only this process holds; waits while another one does.

    Args:
        path: of the file, which is made empty.
        lasting: the file is not removed afterwards.
    """
    while True:
        file = open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b")  # noqa: SIM115
        fcntl.flock(file, fcntl.LOCK_EX)
        if is_at(path, file.fileno()):
            break
        file.close()  # the process that held it has removed or renamed it
    with file:
        try:
            file.truncate(0)
            yield file
        finally:
            if not lasting and is_at(path, file.fileno()):
                os.remove(path)


def download(file: StoredFile, target: IO[bytes]) -> None:
    """Writes a remote file to an open one and verifies it.

    If the server fails, the rest is asked for again, until no byte has come for long.

    Raises:
        UserError: the server does not answer, or the file is not the one of this size
            and SHA-256.
    """
    digest, done, wait, last_byte = hashlib.sha256(), 0, WAIT, time.monotonic()
    while True:
        try:
            for block in read_from(file.path, done):
                target.write(block)
                digest.update(block)
                done, wait, last_byte = done + len(block), WAIT, time.monotonic()
                if done > file.size:
                    break
            break
        except StorageUserError as error:
            give_up_if_hopeless(error, time.monotonic() - last_byte)
            LOGGER.warning("%s; trying again in %g s", error, wait)
            time.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)
        except FileNotFoundError:
            raise UserError(f"{file.path} is missing; the manifest lists it") from None
    target.flush()
    check_content(file, done, digest.hexdigest())


def give_up_if_hopeless(error: StorageUserError, silent: float) -> None:
    """Raises UserError if access is denied or the server was silent for too long."""
    if error.refused:
        raise UserError(str(error)) from None
    if silent >= PATIENCE:
        raise UserError(
            f"{error}; no byte has come for {silent:.0f} seconds. Run the same command "
            "again when the server answers"
        ) from None


def read_from(path: str, offset: int) -> Iterator[bytes]:
    with open_file(path, BLOCK) as source:
        source.seek(offset)
        while block := source.read(BLOCK):
            yield block


def check_content(file: StoredFile, size: int, sha256: str) -> None:
    if (size, sha256) != (file.size, file.sha256):
        raise UserError(
            f"{file.path} is damaged or from another build: it has {size:,} bytes with "
            f"SHA-256 {short_digest(sha256)}; the manifest says {file.size:,} with "
            f"{short_digest(file.sha256)}. Run `tfcap verify` on the records"
        )


def add_cache(parser: argparse.ArgumentParser) -> None:
    """Adds the options of the cache to a command that reads records."""
    parser.add_argument(
        "--cache",
        metavar="DIR",
        help="folder of copies of remote records (default ~/.cache/tfcap/records)",
    )
    parser.add_argument(
        "--cache_gb",
        type=gigabytes,
        metavar="N",
        help=f"most that it may hold, in GB (default {DEFAULT_GIGABYTES:g})",
    )


def gigabytes(text: str) -> float:
    with suppress(ValueError):
        number = float(text)
        if number > 0 and math.isfinite(number):
            return number
    raise argparse.ArgumentTypeError(f"expected GB, more than 0; received {text!r}")
