"""Files of encoders that lie on another storage, for libraries that read a disk."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from records.errors import UserError
from records.storage.base import is_remote
from records.storage.files import file_sizes, is_directory, open_file, reason


@contextmanager
def on_disk(path: str | None) -> Iterator[str | None]:
    """The path of a file or directory while the body runs; of a copy, if it is remote.

    Raises:
        UserError: it cannot be copied.
    """
    if path is None or not is_remote(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        target = os.path.join(folder, os.path.basename(path.rstrip("/")))
        try:
            copy(path, target)
        except OSError as error:
            raise UserError(f"cannot copy {path}: {reason(error)}") from None
        yield target


def copy(path: str, target: str) -> None:
    names = file_sizes(path, nested=True) if is_directory(path) else [""]
    for name in names:
        to = os.path.join(target, name) if name else target
        os.makedirs(os.path.dirname(to), exist_ok=True)
        here = os.path.join(path, name) if name else path
        with open_file(here) as source, open(to, "wb") as file:
            shutil.copyfileobj(source, file)
