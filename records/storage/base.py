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
from typing import IO, Any, BinaryIO

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
    """An error of a file system, with a message for the user.

    Attributes:
        refused: access to the file is denied; otherwise a retry may succeed.
    """

    refused = False

    @classmethod
    def about(cls, path: str, problem: str, refused: bool) -> "StorageUserError":
        error = cls(f"{path}: {problem}")
        error.strerror, error.refused = problem, refused
        return error


class NewFile(ABC):
    """A new file, which exists under its name only after `finish`.

    Used as a context manager it is discarded when the body ends without `finish`.
    Methods raise OSError.

    Attributes:
        file: temporary file with the content written so far.
    """

    file: IO[bytes]

    def write(self, content: bytes) -> None:
        self.file.write(content)

    @abstractmethod
    def finish(self) -> None:
        """Puts the file in its place and replaces an existing one."""

    @abstractmethod
    def discard(self) -> None:
        """Removes the temporary file; does nothing after `finish`."""

    def __enter__(self) -> "NewFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()


class Storage(ABC):
    """A kind of file system.

    Methods raise OSError whatever library they use, and FileNotFoundError if nothing is
    at the path. A directory of an object store exists while it holds a file.

    Attributes:
        lists: directories can be listed.
    """

    lists = True

    @abstractmethod
    def open(self, path: str, buffering: int = BLOCK) -> BinaryIO:
        """Opens a file for reading, with seeking; reads `buffering` bytes at a time.

        An error may be raised only when the file is read. On a disk it must be a
        regular file, not a pipe or device.
        """

    @abstractmethod
    def create(self, path: str) -> NewFile:
        """Returns a new file in an existing directory."""

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Returns True if a file or directory is at the path."""

    @abstractmethod
    def is_directory(self, path: str) -> bool: ...

    def is_file(self, path: str) -> bool:
        """Returns True for a regular file, not for a directory, pipe or device."""
        return self.exists(path) and not self.is_directory(path)

    @abstractmethod
    def size(self, path: str) -> int:
        """Returns the size of a file, in bytes."""

    @abstractmethod
    def files(self, directory: str, nested: bool = False) -> Iterator[tuple[str, int]]:
        """Yields (name, bytes) of the files in a directory.

        With `nested` files of its subdirectories are included; their names are paths
        relative to the directory. Links to files and directories are followed.

        Raises:
            UserError: a link leads back to a directory that contains it.
        """

    @abstractmethod
    def make_directory(self, path: str) -> None:
        """Makes a directory and its parents unless they exist."""

    @abstractmethod
    def remove(self, path: str) -> None:
        """Removes a file."""

    @abstractmethod
    def remove_directory(self, path: str) -> None:
        """Removes a directory and its content."""

    def write_if(self, path: str, old: bytes | None, new: bytes) -> bool | None:
        """Writes a small file if its content is `old`; no process can come between.

        Args:
            path: of the file.
            old: content that it must have; None if it must not exist.
            new: content to write.

        Returns:
            Whether it was written; None if the store cannot write on a condition.
        """
        return None


class RemoteStorage(Storage):
    """A file system that is reached over a network.

    A new file is sent under a temporary name and then renamed. So a connection that
    breaks off may leave a temporary file, but no part of a file under its own name.
    """

    def create(self, path: str) -> "NewFile":
        return NewRemoteFile(path, self)

    @abstractmethod
    def upload(self, file: IO[bytes], path: str) -> None:
        """Writes the rest of an open file to the path."""

    @abstractmethod
    def rename(self, old: str, new: str) -> None:
        """Renames a file and replaces an existing one."""


class LocalStorage(Storage):
    """The file system of this machine."""

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
    """Opens a regular file; opening or reading another kind may block forever.

    The kind is checked after opening, because another file may get the name before.

    Raises:
        StorageUserError: a pipe, a socket or a device.
    """
    # Without O_NONBLOCK opening a pipe blocks until another process writes to it.
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
        kind = next((name for name, is_kind in OTHER_KINDS if is_kind(mode)), "no file")
        problem = f"it is {kind}; expected a regular file. Copy it to one"
        raise StorageUserError.about(path, problem, refused=True)


def local_files(
    directory: str, nested: bool = False, above: tuple[tuple[int, int], ...] = ()
) -> Iterator[os.DirEntry]:
    """Yields the files of a directory, with `nested` those of its subdirectories too.

    Links are followed.

    Args:
        directory: to list.
        nested: includes subdirectories.
        above: device and inode of the directories that contain this one.

    Raises:
        UserError: a link leads back to a directory that contains it.
    """
    status = os.stat(directory)
    inside = (*above, (status.st_dev, status.st_ino))
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
    """A local file, written under a temporary name beside its own, then renamed."""

    def __init__(self, path: str):
        self.path, self.temporary = path, temporary_name(path)
        self.file = open(self.temporary, "wb")  # noqa: SIM115

    def finish(self) -> None:
        self.file.close()
        os.replace(self.temporary, self.path)

    def discard(self) -> None:
        with suppress(OSError):  # closing flushes, which fails on a full disk
            self.file.close()
        with suppress(FileNotFoundError):
            os.remove(self.temporary)


class NewRemoteFile(NewFile):
    """A remote file, kept in memory or on this machine's disk and sent as a whole.

    So no connection stays open while a shard's photos are encoded, and nothing is sent
    of a shard that fails.

    Args:
        path: destination.
        storage: the storage of the path.
    """

    def __init__(self, path: str, storage: "RemoteStorage"):
        self.path, self.storage = path, storage
        self.file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115

    def finish(self) -> None:
        self.file.seek(0)
        temporary = temporary_name(self.path)
        try:
            self.storage.upload(self.file, temporary)
            self.storage.rename(temporary, self.path)
        except BaseException:
            with suppress(Exception):
                self.storage.remove(temporary)
            raise
        self.file.close()

    def discard(self) -> None:
        self.file.close()


class Stream(io.RawIOBase):
    """A readable stream around a file object of another library.

    Args:
        file: has `read`, `seek`, `tell` and `close`.
        errors: returns a context manager that turns the library's errors into OSError.
    """

    def __init__(self, file: Any, errors: Callable[[], AbstractContextManager]):
        self.file, self.errors = file, errors

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
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
    """Returns `gs` for `gs://bucket/file`, and None for a path on this machine."""
    match = SCHEME.match(path)
    return match and match[1]


def temporary_name(path: str) -> str:
    """Returns a hidden name in the directory of `path`, which readers ignore."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.{uuid.uuid4().hex[:8]}.tmp")


def is_temporary(name: str) -> bool:
    """Returns True for a name of `temporary_name`, which a broken write may leave."""
    return name.startswith(".") and name.endswith(".tmp") and len(name) > len("..tmp")
