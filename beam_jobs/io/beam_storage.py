"""The remote storage of Beam jobs, on Beam's file systems.

A path with a scheme goes to Beam's FileSystems: s3://, gs://, hdfs://, azfs:// where
their libraries are installed, and any that a program registers. `register` is called
by the commands, and in worker processes by the steps that use files (`FileDoFn`).

Renaming on an object store is a copy that the store makes itself.
"""

import errno
import functools
import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO

import apache_beam as beam
from apache_beam.io.filesystem import BeamIOError, CompressionTypes, FileMetadata
from apache_beam.io.filesystems import FileSystems

from beam_jobs.io import gcs, s3
from records.storage.base import (
    BLOCK,
    RemoteStorage,
    StorageUserError,
    Stream,
    scheme_of,
)
from records.storage.registry import register_remote

PLAIN = CompressionTypes.UNCOMPRESSED
CONDITIONAL = {"gs": gcs.write_if, "s3": s3.write_if}


def register() -> None:
    """Lets `records` read and write wherever Beam can, in this process."""
    s3.configure()
    register_remote(BeamStorage())


class FileDoFn(beam.DoFn):
    """A step that reads or writes files; it registers the storage in its process."""

    def setup(self) -> None:
        register()


class BeamStorage(RemoteStorage):
    """The file systems that Beam has, by the scheme of a path."""

    def open(self, path: str, buffering: int = BLOCK) -> BinaryIO:
        with plain_errors(path):
            file = FileSystems.open(path, compression_type=PLAIN)
        # Its own buffer would read 16 MiB for every record.
        raw = file.detach() if isinstance(file, io.BufferedReader) else file
        return io.BufferedReader(
            Stream(raw, functools.partial(plain_errors, path)), buffering
        )

    def upload(self, file: IO[bytes], path: str) -> None:
        with plain_errors(path):
            first = file.read(BLOCK)
            if not first and scheme_of(path) == "s3":
                s3.put_empty(path)
                return
            with FileSystems.create(path, compression_type=PLAIN) as remote:
                remote.write(first)
                shutil.copyfileobj(file, remote, BLOCK)

    def rename(self, old: str, new: str) -> None:
        with plain_errors(new):
            if has_directories(new) and FileSystems.exists(new):
                FileSystems.delete([new])  # HDFS renames to no name that is taken
            FileSystems.rename([old], [new])

    def exists(self, path: str) -> bool:
        with plain_errors(path):
            # A bucket alone names no file; Beam would ask for it for minutes.
            is_file = path.rstrip("/") != root_of(path) and FileSystems.exists(path)
        return is_file or (not has_directories(path) and self.is_directory(path))

    def is_directory(self, path: str) -> bool:
        if not has_directories(path):
            return bool(match_below(path, "**", limit=1))
        try:
            match_below(path, "*", limit=1)
        except StorageUserError:
            return False
        return self.exists(path)

    def size(self, path: str) -> int:
        with plain_errors(path):
            return FileSystems.get_filesystem(path).size(path)

    def files(self, directory: str, nested: bool = False) -> Iterator[tuple[str, int]]:
        start = len(directory.rstrip("/")) + 1
        for file in match_below(directory, "**" if nested else "*"):
            yield file.path[start:], file.size_in_bytes

    def make_directory(self, path: str) -> None:
        with plain_errors(path):
            if not has_directories(path) or FileSystems.exists(path):
                return
            try:
                FileSystems.mkdirs(path)
            except BeamIOError:
                if not FileSystems.exists(path):  # else another worker was faster
                    raise

    def remove(self, path: str) -> None:
        with plain_errors(path):
            FileSystems.delete([path])

    def remove_directory(self, path: str) -> None:
        with plain_errors(path):
            path = path.rstrip("/")
            FileSystems.delete([path if has_directories(path) else f"{path}/"])

    def write_if(self, path: str, old: bytes | None, new: bytes) -> bool | None:
        write = CONDITIONAL.get(scheme_of(path) or "")
        with plain_errors(path):
            return write(path, old, new) if write else None


def match_below(
    directory: str, pattern: str, limit: int | None = None
) -> list[FileMetadata]:
    return match(f"{escape(directory.rstrip('/'))}/{pattern}", limit)


def match(pattern: str, limit: int | None = None) -> list[FileMetadata]:
    """Returns the files that match a pattern (`*`, `**`, `?`, `[...]`).

    On a file system that has directories `**` may match them too.
    """
    with plain_errors(pattern):
        (result,) = FileSystems.match([pattern], [limit])
    # Object stores mark a directory by an object of such a name.
    return [file for file in result.metadata_list if not file.path.endswith("/")]


def escape(path: str) -> str:
    """Returns a pattern that matches only this path."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in path)


def has_directories(path: str) -> bool:
    """Returns False for an object store, which has only files with long names."""
    return FileSystems.get_filesystem(path).has_dirs()


def root_of(path: str) -> str:
    """Returns the bucket or host of a remote path, such as `gs://bucket`."""
    scheme, _, rest = path.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


@contextmanager
def plain_errors(path: str) -> Iterator[None]:
    """Converts the exceptions of Beam and of client libraries to OSError.

    Raises:
        FileNotFoundError: there is no such file.
        StorageUserError: any other failure, a missing library among them.
    """
    try:
        yield
    except (KeyboardInterrupt, StorageUserError):
        raise
    except Exception as error:
        cause = innermost(error)
        code = getattr(cause, "code", None)  # of HTTP, with S3 and Cloud Storage
        if isinstance(cause, FileNotFoundError) or code == 404:
            gone = os.strerror(errno.ENOENT)
            raise FileNotFoundError(errno.ENOENT, gone, path) from None
        problem = " ".join(str(getattr(cause, "message", None) or cause).split())
        raise StorageUserError.about(path, problem, code == 403) from error


def innermost(error: Exception) -> Exception:
    """Returns the exception that a BeamIOError wraps."""
    details = getattr(error, "exception_details", None)
    if isinstance(error, BeamIOError) and details:
        return innermost(next(iter(details.values())))
    return error
