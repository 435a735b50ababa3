"""Files of object stores and web servers, through fsspec.

fsspec loads a package for each scheme when the first path of the scheme is used.
Credentials are those of the store's own tools: the environment, or files in the home
directory.
"""

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import IO, Any, BinaryIO, NoReturn

from records.extras import EXTRAS, not_installed
from records.storage.base import (
    BLOCK,
    NewFile,
    RemoteStorage,
    StorageUserError,
    Stream,
    scheme_of,
)

PACKAGES = {
    "s3": "s3fs",
    "gs": "gcsfs",
    "http": "aiohttp",
    "https": "aiohttp",
    "memory": "fsspec",
}
CONNECT_TIMEOUT, READ_TIMEOUT = 20, 30  # seconds without a byte


class FsspecStorage(RemoteStorage):
    """A storage for object stores, which have only files with long names."""

    def open(self, path: str, buffering: int = BLOCK) -> BinaryIO:
        with plain_errors(path):
            # The buffer below asks for whole blocks; another cache would ask for more.
            file = files_of(path).open(path, "rb", cache_type="none")
        return io.BufferedReader(Stream(file, lambda: plain_errors(path)), buffering)

    def create(self, path: str) -> NewFile:
        with plain_errors(path):
            files_of(path)  # before anything is computed for the file
        return super().create(path)

    def exists(self, path: str) -> bool:
        with plain_errors(path):
            return files_of(path).exists(path)

    def is_directory(self, path: str) -> bool:
        with plain_errors(path):
            return files_of(path).isdir(path)

    def size(self, path: str) -> int:
        with plain_errors(path):
            return files_of(path).size(path)

    def files(self, directory: str, nested: bool = False) -> Iterator[tuple[str, int]]:
        depth, folder = None if nested else 1, directory.partition("://")[2].strip("/")
        with plain_errors(directory):
            found = files_of(directory).find(directory, maxdepth=depth, detail=True)
        for path, about in found.items():
            name = path.lstrip("/").removeprefix(f"{folder}/")
            if name != folder:  # a store may mark a directory by an object of its name
                yield name, about["size"]

    def make_directory(self, path: str) -> None:
        """Does nothing: a directory exists while it holds a file."""

    def upload(self, file: IO[bytes], path: str) -> None:
        with plain_errors(path), files_of(path).open(path, "wb") as remote:
            shutil.copyfileobj(file, remote, BLOCK)

    def rename(self, old: str, new: str) -> None:
        with plain_errors(new):
            files_of(new).mv(old, new)

    def remove(self, path: str) -> None:
        with plain_errors(path):
            files_of(path).rm_file(path)

    def remove_directory(self, path: str) -> None:
        with plain_errors(path):
            files_of(path).rm(path, recursive=True)


class WebStorage(FsspecStorage):
    """A storage for the files of web servers, which can be read by their names only."""

    lists = False

    def create(self, path: str) -> NewFile:
        refuse(path, "written")

    def is_directory(self, path: str) -> bool:
        return False

    def files(self, directory: str, nested: bool = False) -> Iterator[tuple[str, int]]:
        refuse(directory, "listed")

    def make_directory(self, path: str) -> None:
        refuse(path, "written")

    def remove(self, path: str) -> None:
        refuse(path, "written")

    def remove_directory(self, path: str) -> None:
        refuse(path, "written")


def refuse(path: str, verb: str) -> NoReturn:
    problem = (
        f"a path of {scheme_of(path)}:// can be read, but not {verb}; expected a path "
        "of this machine or of an object store"
    )
    raise StorageUserError.about(path, problem, refused=True)


def files_of(path: str) -> Any:
    """Returns fsspec's file system for a path; fsspec keeps one for each scheme.

    Raises:
        UserError: the package of the scheme is not installed.
    """
    scheme = scheme_of(path) or ""
    package = PACKAGES[scheme]
    if find_spec(package) is None:
        raise not_installed([package], [EXTRAS[package]])
    import fsspec

    # A listing that is kept would not show what other processes write.
    return fsspec.filesystem(scheme, use_listings_cache=False, **settings(scheme))


def settings(scheme: str) -> dict[str, Any]:
    """Returns how long a store may send nothing, as its package takes it."""
    if scheme == "s3":
        times = {"connect_timeout": CONNECT_TIMEOUT, "read_timeout": READ_TIMEOUT}
        # s3fs itself tries again.
        return {"config_kwargs": {**times, "retries": {"max_attempts": 0}}}
    if scheme in ("http", "https"):
        from aiohttp import ClientTimeout

        timeout = ClientTimeout(sock_connect=CONNECT_TIMEOUT, sock_read=READ_TIMEOUT)
        return {"client_kwargs": {"timeout": timeout}}
    return {}


@contextmanager
def plain_errors(path: str) -> Iterator[None]:
    """Turns the errors of fsspec and of its packages into OSError."""
    try:
        yield
    except (FileNotFoundError, StorageUserError):
        raise
    except Exception as error:
        problem = " ".join(str(error).split()) or type(error).__name__
        refused = isinstance(error, PermissionError)
        raise StorageUserError.about(path, problem, refused) from error
