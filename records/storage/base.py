"""The interface of a file system, and the local disk.

`records.storage.registry` chooses the file system of a path. Other modules read and
write through the functions of `records.storage.files`.
"""

import errno
import io
import os
import re
import shutil
import stat
import tempfile
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import BinaryIO

from records.errors import UserError

BLOCK = 1 << 20
IN_MEMORY = 16 << 20
OTHER_KINDS = (
    ("a pipe", stat.S_ISFIFO),
    ("a device", stat.S_ISCHR),
    ("a device", stat.S_ISBLK),
    ("a socket", stat.S_ISSOCK),
)
SCHEME = re.compile(r"([a-zA-Z][-a-zA-Z0-9+.]*)://")


class StorageUserError(UserError, OSError):
    """What a file system says; where nobody catches it, a person reads it.

    Attributes:
        refused: access to the file is denied; otherwise another try may do.
    """

    refused = False

    @classmethod
    def about(cls, path: str, problem: str, refused: bool) -> "StorageUserError":
        error = cls(f"{path}: {problem}")
        error.strerror, error.refused = problem, refused
        return error


class NewFile(ABC):
    """A file that comes into being whole, when `finish` is called, or not at all.

    Used as a context manager it is discarded when the body ends without `finish`.
    Methods raise OSError.

    Attributes:
        file: what is written so far, in a place that no reader looks at.
    """

    file: BinaryIO

    def write(self, content: bytes) -> None:
        self.file.write(content)

    @abstractmethod
    def finish(self) -> None:
        """Puts the file in its place; replaces one that is there."""

    @abstractmethod
    def discard(self) -> None:
        """Forgets it; after `finish` there is nothing to forget."""

    def __enter__(self) -> "NewFile":
        return self

    def __exit__(self, *_) -> None:
        self.discard()


class Storage(ABC):
    """One kind of file system.

    Methods raise OSError, whatever library is below: FileNotFoundError where there is
    nothing. A directory of an object store is there while a file is in it.
    """

    @abstractmethod
    def open(self, path: str, buffering: int = BLOCK) -> BinaryIO:
        """Opens a file for reading at any place, so many bytes at a time.

        One that cannot be read may show only when it is read. On a disk it must be a
        regular file: no pipe, no device.
        """

    @abstractmethod
    def create(self, path: str) -> NewFile:
        """A new file; its directory must be there."""

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Whether there is a file or a directory."""

    @abstractmethod
    def is_directory(self, path: str) -> bool: ...

    def is_file(self, path: str) -> bool:
        """Whether there is a file that ends: no directory, pipe or device."""
        return self.exists(path) and not self.is_directory(path)

    @abstractmethod
    def is_empty_directory(self, path: str) -> bool: ...

    @abstractmethod
    def size(self, path: str) -> int:
        """Of a file, in bytes."""

    @abstractmethod
    def files(self, directory: str, nested: bool = False) -> Iterator[tuple[str, int]]:
        """Yields (name, bytes) of the files in a directory.

        With `nested` those of its directories as well, named by their path in it.
        Links to files and directories are followed.

        Raises:
            UserError: a link leads back to a directory that it lies in.
        """

    @abstractmethod
    def make_directory(self, path: str) -> None:
        """Makes it and those it lies in, where they are not there."""

    @abstractmethod
    def remove(self, path: str) -> None:
        """Removes a file."""

    @abstractmethod
    def remove_directory(self, path: str) -> None:
        """Removes it with all that is in it."""


class LocalStorage(Storage):
    """This machine's file system."""

    def open(self, path: str, buffering: int = BLOCK) -> BinaryIO:
        return open_regular(path, buffering)

    def create(self, path: str) -> NewFile:
        return NewLocalFile(path)

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def is_directory(self, path: str) -> bool:
        return os.path.isdir(path)

    def is_file(self, path: str) -> bool:
        return os.path.isfile(path)

    def is_empty_directory(self, path: str) -> bool:
        return os.path.isdir(path) and not os.listdir(path)

    def size(self, path: str) -> int:
        return os.path.getsize(path)

    def files(self, directory: str, nested: bool = False) -> Iterator[tuple[str, int]]:
        for entry in local_files(directory, nested):
            yield os.path.relpath(entry.path, directory), entry.stat().st_size

    def make_directory(self, path: str) -> None:
        os.makedirs(path, exist_ok=True)

    def remove(self, path: str) -> None:
        os.remove(path)

    def remove_directory(self, path: str) -> None:
        shutil.rmtree(path)


def open_regular(path: str, buffering: int = BLOCK) -> BinaryIO:
    """Opens a file that ends: to open or to read another may take for ever.

    It is asked once it is open, for a name may lead elsewhere by then.

    Raises:
        StorageUserError: a pipe, a socket or a device.
    """
    # Without O_NONBLOCK a pipe is open only when somebody writes to it.
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        check_regular(path, os.fstat(file).st_mode)
        return open(file, "rb", buffering)
    except BaseException:
        os.close(file)
        raise


def check_regular(path: str, mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(mode):
        kind = next((name for name, is_one in OTHER_KINDS if is_one(mode)), "no file")
        problem = f"it is {kind}; expected a regular file. Copy it to one"
        raise StorageUserError.about(path, problem, refused=True)


def local_files(
    directory: str, nested: bool = False, above: tuple[tuple[int, int], ...] = ()
) -> Iterator[os.DirEntry]:
    """Yields the files of a directory, with `nested` those of its directories too.

    Links are followed.

    Args:
        above: device and number of the directories that this one lies in.

    Raises:
        UserError: a link leads back to a directory that it lies in.
    """
    here = os.stat(directory)
    inside = (*above, (here.st_dev, here.st_ino))
    if inside[-1] in above:
        raise UserError(
            f"{directory} leads back to a directory that it lies in, without end: "
            f"{os.path.realpath(directory)}. Remove this link"
        )
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_file():
                yield entry
            elif nested and entry.is_dir():
                yield from local_files(entry.path, nested, inside)


class NewLocalFile(NewFile):
    """Written under a temporary name beside its own, then renamed."""

    def __init__(self, path: str):
        self.path, self.temporary = path, temporary_name(path)
        self.file = open(self.temporary, "wb")  # noqa: SIM115

    def finish(self) -> None:
        self.file.close()
        os.replace(self.temporary, self.path)

    def discard(self) -> None:
        with suppress(OSError):  # a full disk: what is left to write cannot be
            self.file.close()
        with suppress(FileNotFoundError):
            os.remove(self.temporary)


class NewRemoteFile(NewFile):
    """Kept in memory, a large one on this machine's disk, and sent as a whole.

    So no connection stays open while a shard's photos are encoded, and a shard that
    fails half-way has sent nothing.

    Args:
        path: where it goes.
        send: called with the file, at its beginning, and `path`; leaves a whole file
            there or none.
    """

    def __init__(self, path: str, send: Callable[[BinaryIO, str], None]):
        self.path, self.send = path, send
        self.file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115

    def finish(self) -> None:
        self.file.seek(0)
        self.send(self.file, self.path)
        self.file.close()

    def discard(self) -> None:
        self.file.close()


class Stream(io.RawIOBase):
    """Reads a file of another library.

    Args:
        file: it has `read`, `seek`, `tell` and `close`.
        errors: makes the context in which it is used; there errors become OSError.
    """

    def __init__(self, file, errors: Callable[[], AbstractContextManager]):
        self.file, self.errors = file, errors

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        with self.errors():
            content = self.file.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def readall(self) -> bytes:
        return b"".join(iter(lambda: self.read(BLOCK), b""))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        with self.errors():
            self.file.seek(offset, whence)
            return self.file.tell()

    def close(self) -> None:
        if not self.closed:
            with self.errors():
                self.file.close()
        super().close()


def is_remote(path: str) -> bool:
    return scheme_of(path) is not None


def scheme_of(path: str) -> str | None:
    """`gs` of `gs://bucket/file`; None of a path on this machine."""
    match = SCHEME.match(path)
    return match and match[1]


def temporary_name(path: str) -> str:
    """A name beside `path` that no reader takes for finished."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.{uuid.uuid4().hex[:8]}.tmp")
