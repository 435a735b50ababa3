"""Reads and writes files of any storage; a file is written whole or not at all.

Functions take paths of any storage (`records.storage.registry`). Unless they say
otherwise they raise OSError, and FileNotFoundError if nothing is at the path.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import BinaryIO

from records.errors import UserError
from records.storage.base import BLOCK, NewFile, StorageUserError
from records.storage.registry import storage_of


def open_file(path: str, buffering: int = BLOCK) -> BinaryIO:
    """Opens a file for reading, with seeking; reads `buffering` bytes at a time."""
    return storage_of(path).open(path, buffering)


def new_file(path: str) -> NewFile:
    """Returns a new file, which exists under its name only after `finish`."""
    return storage_of(path).create(path)


def read_file(path: str, most: int | None = None) -> bytes:
    """Reads a whole file.

    Args:
        path: of the file.
        most: largest size allowed, in bytes.

    Raises:
        StorageUserError: the file is larger.
    """
    with open_file(path) as file:
        return file.read() if most is None else read_stream(file, path, most)


def read_stream(file: BinaryIO, path: str, most: int) -> bytes:
    """Reads the rest of an open file.

    Raises:
        StorageUserError: it is larger than `most` bytes; names `path`.
    """
    blocks, left = [], most
    while block := file.read(BLOCK):
        blocks.append(block)
        left -= len(block)
        if left < 0:
            problem = f"it is larger than {most:,} bytes, the most that is read"
            raise StorageUserError.about(path, problem, refused=True)
    return b"".join(blocks)


def write_atomically(path: str, content: bytes) -> None:
    """Writes a file whole or not at all, and replaces an existing one.

    Raises:
        UserError: the file cannot be written (no space, no permission).
    """
    write_together({path: content})


def write_together(contents: Mapping[str, bytes]) -> None:
    """Writes several files; none is in its place before all are written.

    Args:
        contents: path of each file -> its content.

    Raises:
        UserError: a file cannot be written (no space, no permission).
    """
    with ExitStack() as stack:
        files = {}
        for path, content in contents.items():
            with named_errors("write", path):
                files[path] = stack.enter_context(new_file(path))
                files[path].write(content)
                files[path].file.flush()
        for path, file in files.items():
            with named_errors("write", path):
                file.finish()


def write_if(path: str, old: bytes | None, new: bytes) -> bool | None:
    """Writes a small file if its content is `old`, as `Storage.write_if`."""
    return storage_of(path).write_if(path, old, new)


def write_text(path: str, text: str) -> None:
    """Writes text in UTF-8, whole or not at all; see `as_utf8`."""
    write_atomically(path, as_utf8(text).encode())


def as_utf8(text: str) -> str:
    r"""Returns text that can be written in UTF-8.

    Names of files need not be UTF-8. Bytes that are not are written as `\udce9`, which
    is also how JSON writes them.
    """
    return text.encode("utf-8", "backslashreplace").decode()


def check_utf8(path: str, option: str = "") -> None:
    """Refuses a path that neither TensorFlow nor Beam accepts.

    Args:
        path: to check.
        option: that names the path, for the message.

    Raises:
        UserError: the path is not UTF-8.
    """
    try:
        path.encode()
    except UnicodeEncodeError:
        where = f"{option}: " if option else ""
        raise UserError(
            f"{where}{path}: the path is not UTF-8; expected one that is. Rename what "
            "is not, or name a link to it"
        ) from None


@contextmanager
def named_errors(verb: str, path: str, option: str = "") -> Iterator[None]:
    """Turns an OSError into a UserError: `cannot write PATH: No space left`.

    Args:
        verb: names what fails.
        path: of the file.
        option: that names the path, for the message.
    """
    try:
        yield
    except OSError as error:
        where = f"{option}: " if option else ""
        raise UserError(f"{where}cannot {verb} {path}: {reason(error)}") from None


def exists(path: str) -> bool:
    """Returns True if a file or directory is at the path."""
    return storage_of(path).exists(path)


def is_directory(path: str) -> bool:
    return storage_of(path).is_directory(path)


def is_file(path: str) -> bool:
    """Returns True for a regular file, not for a directory, pipe or device.

    Callers check this before they read a path that comes from data.
    """
    return storage_of(path).is_file(path)


def is_empty(path: str) -> bool:
    """Returns True if nothing is at the path, or a directory without files."""
    if not is_directory(path):
        return not exists(path)
    return not any(storage_of(path).files(path, nested=True))


def file_size(path: str) -> int:
    """Returns the size of a file, in bytes."""
    return storage_of(path).size(path)


def file_sizes(directory: str, nested: bool = False) -> dict[str, int]:
    """Returns name -> bytes of the files in a directory, sorted by name.

    With `nested` files of its subdirectories are included; their names are paths
    relative to the directory.
    """
    return dict(sorted(storage_of(directory).files(directory, nested)))


def can_list(path: str) -> bool:
    """Returns False for a path of a web server, whose directories cannot be listed."""
    return storage_of(path).lists


def make_directory(path: str) -> None:
    """Makes a directory and its parents unless they exist."""
    storage_of(path).make_directory(path)


def make_output(path: str, option: str) -> None:
    """Makes a directory that an option of a command names.

    Raises:
        UserError: the directory cannot be made; names the option.
    """
    with named_errors("make", path, option):
        make_directory(path)


def remove_if_there(path: str) -> None:
    """Removes a file if it exists."""
    with suppress(FileNotFoundError, NotADirectoryError):
        storage_of(path).remove(path)


def remove_directory(path: str) -> None:
    """Removes a directory and its content if it exists."""
    with suppress(FileNotFoundError):
        storage_of(path).remove_directory(path)


def file_digest(path: str) -> str:
    """Returns the SHA-256 of a file's bytes in hexadecimal."""
    digest = hashlib.sha256()
    with open_file(path) as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def reason(error: OSError) -> str:
    """Returns the message of an error without the name of the file."""
    return error.strerror or str(error)
