"""Reading and writing files wherever they lie; writing is all or nothing.

Functions take paths of any storage (records/storage/base.py). Unless they say otherwise
they raise OSError, FileNotFoundError where there is nothing.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from records.errors import UserError
from records.storage.base import BLOCK, NewFile, StorageUserError
from records.storage.registry import storage_of


def open_file(path: str, buffering: int = BLOCK) -> BinaryIO:
    """Opens a file for reading at any place, so many bytes at a time."""
    return storage_of(path).open(path, buffering)


def new_file(path: str) -> NewFile:
    """A file that comes into being when it is finished, whole."""
    return storage_of(path).create(path)


def read_file(path: str, most: int | None = None) -> bytes:
    """Reads a whole file.

    Args:
        most: bytes that it may have.

    Raises:
        StorageUserError: it is larger.
    """
    with open_file(path) as file:
        if most is None:
            return file.read()
        blocks, left = [], most
        while block := file.read(BLOCK):
            blocks.append(block)
            left -= len(block)
            if left < 0:
                problem = f"it is larger than {most:,} bytes, the most that is read"
                raise StorageUserError.about(path, problem, refused=True)
    return b"".join(blocks)


def write_atomically(path: str, content: bytes) -> None:
    """Writes a file whole or not at all; replaces one that is there.

    Raises:
        UserError: the place cannot be written (no space, no permission).
    """
    with named_errors("write", path), new_file(path) as file:
        file.write(content)
        file.finish()


def write_text(path: str, text: str) -> None:
    """As `write_atomically`, in UTF-8; see `as_utf8`."""
    write_atomically(path, as_utf8(text).encode())


def as_utf8(text: str) -> str:
    r"""Returns text that can be written in UTF-8.

    Names of files need not be UTF-8. Bytes that are not are written as `\udce9`, which
    is also how JSON writes them.
    """
    return text.encode("utf-8", "backslashreplace").decode()


def check_utf8(path: str, option: str = "") -> None:
    """Refuses a place that neither TensorFlow nor Beam can be told of.

    Args:
        option: that names the place, for the message.

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
def named_errors(doing: str, path: str) -> Iterator[None]:
    """Raises UserError in the place of OSError: `cannot write PATH: No space left`."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot {doing} {path}: {reason(error)}") from None


def exists(path: str) -> bool:
    """Whether there is a file or a directory."""
    return storage_of(path).exists(path)


def is_directory(path: str) -> bool:
    return storage_of(path).is_directory(path)


def is_file(path: str) -> bool:
    """Whether there is a file that ends: no directory, pipe or device.

    To be asked before a path is read that data names.
    """
    return storage_of(path).is_file(path)


def is_empty(path: str) -> bool:
    """Whether there is nothing, or a directory with nothing in it."""
    return not exists(path) or storage_of(path).is_empty_directory(path)


def file_size(path: str) -> int:
    """Of a file, in bytes."""
    return storage_of(path).size(path)


def file_sizes(directory: str, nested: bool = False) -> dict[str, int]:
    """Name -> bytes of the files in a directory, in the order of their names.

    With `nested` those of its directories as well, named by their path in it.
    """
    return dict(sorted(storage_of(directory).files(directory, nested)))


def make_directory(path: str) -> None:
    """Makes it and those it lies in, where they are not there."""
    storage_of(path).make_directory(path)


def make_output(path: str, option: str) -> None:
    """Makes a directory that an option of a command names.

    Raises:
        UserError: it cannot be made; names the option.
    """
    try:
        make_directory(path)
    except OSError as error:
        raise UserError(f"{option}: cannot make {path}: {reason(error)}") from None


def remove_if_there(path: str) -> None:
    """Removes a file."""
    with suppress(FileNotFoundError, NotADirectoryError):
        storage_of(path).remove(path)


def remove_directory(path: str) -> None:
    """Removes it with all that is in it, if it is there."""
    with suppress(FileNotFoundError):
        storage_of(path).remove_directory(path)


def file_digest(path: str) -> str:
    """SHA-256 of a file's bytes, in hexadecimal, read a block at a time."""
    digest = hashlib.sha256()
    with open_file(path) as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def reason(error: OSError) -> str:
    """What went wrong, without the name of the file."""
    return error.strerror or str(error)
