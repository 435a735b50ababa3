"""Chooses the file system of a path.

path without `scheme://`   this machine's file system
gs://, s3://, hdfs:// ...  in a Beam job the file systems of Beam, which
                           `beam_jobs.io.beam_storage` registers; elsewhere those
                           of TensorFlow
"""

from records.storage.base import LocalStorage, Storage, is_remote

_local = LocalStorage()
_remote: Storage | None = None


def register_remote(storage: Storage) -> None:
    """Sets the storage of every path with a scheme, in place of TensorFlow's."""
    global _remote
    _remote = storage


def storage_of(path: str) -> Storage:
    """Returns the storage of the file system that a path lies in."""
    if not is_remote(path):
        return _local
    return _remote or _register_tensorflow()


def _register_tensorflow() -> Storage:
    # Imported late, so that reading a disk does not import TensorFlow.
    from records.storage.gfile import TensorFlowStorage

    storage = TensorFlowStorage()
    register_remote(storage)
    return storage
