"""Writing files all or nothing, and their digests."""

import hashlib
import os
import uuid

import tensorflow as tf

from records.errors import UserError

BLOCK = 1 << 20


def temporary_name(path: str) -> str:
    """A name beside `path` that no reader takes for finished."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.{uuid.uuid4().hex[:8]}.tmp")


def write_atomically(path: str, content: bytes) -> None:
    """Writes `content` under a temporary name, then renames it to `path`.

    Raises:
        UserError: the place cannot be written (no space, no permission).
    """
    temporary = temporary_name(path)
    try:
        with tf.io.gfile.GFile(temporary, "wb") as file:
            file.write(content)
        tf.io.gfile.rename(temporary, path, overwrite=True)
    except tf.errors.OpError as error:
        remove_if_there(temporary)
        raise UserError(f"cannot write {path}: {error.message}") from None


def remove_if_there(path: str) -> None:
    if tf.io.gfile.exists(path):
        tf.io.gfile.remove(path)


def file_digest(path: str) -> str:
    """SHA-256 of a file's bytes, in hexadecimal, read a block at a time."""
    digest = hashlib.sha256()
    with tf.io.gfile.GFile(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
