"""Chooses the file system of a path.

path without `scheme://`  this machine's file system
http://, https://         fsspec, for reading
s3://, gs://              in a Beam job the file systems of Beam, which
                          `beam_jobs.io.beam_storage` registers; elsewhere fsspec
hdfs:// ...               in a Beam job those of Beam too; elsewhere those of TensorFlow

TensorFlow itself reads and writes gs://, so it does where gcsfs is not installed.
"""

import functools
from importlib.util import find_spec

from records.storage.base import LocalStorage, Storage, scheme_of

_local = LocalStorage()
_remote: Storage | None = None


def register_remote(storage: Storage) -> None:
    """Sets the storage of every path with a scheme, except web servers'."""
    global _remote
    _remote = storage


def storage_of(path: str) -> Storage:
    """Returns the storage of the file system that a path lies in."""
    scheme = scheme_of(path)
    if scheme is None:
        return _local
    if scheme in ("http", "https"):
        return _web()
    return _remote or _elsewhere(scheme)


# Imported late, so that reading a disk imports neither TensorFlow nor fsspec.
@functools.cache
def _web() -> Storage:
    from records.storage.fsspec_storage import WebStorage

    return WebStorage()


@functools.cache
def _elsewhere(scheme: str) -> Storage:
    if scheme in ("s3", "memory") or (scheme == "gs" and find_spec("gcsfs")):
        from records.storage.fsspec_storage import FsspecStorage

        return FsspecStorage()
    from records.storage.gfile import TensorFlowStorage

    return TensorFlowStorage()
