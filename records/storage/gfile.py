"""Remote files through TensorFlow, for training and tools without Beam."""

import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO

import tensorflow as tf

from records.errors import UserError
from records.storage.base import (
    BLOCK,
    NewFile,
    RemoteStorage,
    StorageUserError,
    Stream,
    scheme_of,
)

COPIED_BY = {"s3": "aws s3 sync", "hdfs": "hdfs dfs -get", "azfs": "az storage copy"}


class TensorFlowStorage(RemoteStorage):
    """A storage for the schemes that the installed TensorFlow supports.

    Methods raise UserError for any other scheme.
    """

    def open(self, path: str, buffering: int = BLOCK) -> BinaryIO:
        check_scheme(path)
        return io.BufferedReader(
            Stream(tf.io.gfile.GFile(path, "rb"), plain_errors), buffering
        )

    def create(self, path: str) -> NewFile:
        check_scheme(path)  # before anything is computed for the file
        return super().create(path)

    def exists(self, path: str) -> bool:
        with access(path):
            return tf.io.gfile.exists(path)

    def is_directory(self, path: str) -> bool:
        with access(path):
            return tf.io.gfile.isdir(path)

    def size(self, path: str) -> int:
        with access(path):
            return tf.io.gfile.stat(path).length

    def files(self, directory: str, nested: bool = False) -> Iterator[tuple[str, int]]:
        with access(directory):
            for name in tf.io.gfile.listdir(directory):
                path = tf.io.gfile.join(directory, name)
                if not tf.io.gfile.isdir(path):
                    yield name, tf.io.gfile.stat(path).length
                elif nested:
                    for below, size in self.files(path, nested):
                        yield f"{name.rstrip('/')}/{below}", size

    def make_directory(self, path: str) -> None:
        with access(path):
            tf.io.gfile.makedirs(path)

    def upload(self, file: IO[bytes], path: str) -> None:
        with access(path), tf.io.gfile.GFile(path, "wb") as remote:
            shutil.copyfileobj(file, remote, BLOCK)

    def rename(self, old: str, new: str) -> None:
        with access(new):
            tf.io.gfile.rename(old, new, overwrite=True)

    def remove(self, path: str) -> None:
        with access(path):
            tf.io.gfile.remove(path)

    def remove_directory(self, path: str) -> None:
        with access(path):
            tf.io.gfile.rmtree(path)


@contextmanager
def access(path: str) -> Iterator[None]:
    """Turns TensorFlow's errors into OSError; raises UserError for another scheme."""
    check_scheme(path)
    with plain_errors():
        yield


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turns TensorFlow's errors into OSError."""
    try:
        yield
    except tf.errors.NotFoundError as error:
        raise FileNotFoundError(error.message) from None
    except tf.errors.OpError as error:
        raise StorageUserError(error.message) from None


def is_readable(path: str) -> bool:
    """Returns True if TensorFlow itself can read and write the path."""
    scheme = scheme_of(path)
    return scheme is None or scheme in tf.io.gfile.get_registered_schemes()


def check_scheme(path: str) -> None:
    """Raises UserError if TensorFlow itself cannot read and write the path."""
    scheme = scheme_of(path)
    if not is_readable(path):
        copying = f" ({COPIED_BY[scheme]})" if scheme in COPIED_BY else ""
        raise UserError(
            f"TensorFlow has no access to {scheme}://, so {path} cannot be read or "
            f"written here; copy the directory to a disk{copying} and name the copy"
        )
