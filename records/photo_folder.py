"""Finding a record's photo again: records name a photo by its file, not its folder."""

import functools
import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from records.errors import UserError
from records.files import exists, file_sizes, is_directory, read_file


class PhotoFile(NamedTuple):
    """A photo file.

    Attributes:
        path: where it lies.
        content: its bytes.
        same: whether they are those that the record was made from.
    """

    path: str
    content: bytes
    same: bool


class PhotoFolder:
    """The photo files of a directory, in it or in folders below.

    The folders are listed once, when the first photo is not in the directory itself.

    Args:
        directory: need not be there; no photo is found then.
    """

    def __init__(self, directory: str):
        self.directory = directory

    def find(self, photo_id: str) -> str | None:
        """The photo's path; None if no file or more than one may be it."""
        places = self.places(photo_id)
        first, second = next(places, None), None
        if first and first != self.direct(photo_id):
            second = next(places, None)
        return None if second else first

    def read(self, photo_id: str, sha256: bytes) -> PhotoFile | None:
        """The photo whose bytes have this digest, else one of that name; or None."""
        other = None
        for path in self.places(photo_id):
            with suppress(OSError, UserError):
                content = read_file(path)
                same = hashlib.sha256(content).digest() == sha256
                if same:
                    return PhotoFile(path, content, same)
                other = other or PhotoFile(path, content, same)
        return other

    def places(self, photo_id: str) -> Iterator[str]:
        """Yields where files of this name lie, that in the directory itself first."""
        if not photo_id or os.path.basename(photo_id) != photo_id:
            return
        direct = self.direct(photo_id)
        if is_file(direct):
            yield direct
        yield from (p for p in self._paths.get(photo_id, ()) if p != direct)

    def direct(self, photo_id: str) -> str:
        return os.path.join(self.directory, photo_id)

    @functools.cached_property
    def _paths(self) -> dict[str, list[str]]:
        """Name, made readable as photo ids are -> paths."""
        paths = defaultdict(list)
        with suppress(OSError, UserError):
            for place in file_sizes(self.directory, nested=True):
                name = os.path.basename(place)
                readable = name.encode("utf-8", "backslashreplace").decode()
                paths[readable].append(os.path.join(self.directory, place))
        return paths


def is_file(path: str) -> bool:
    """False also of a place that cannot be looked at."""
    with suppress(OSError, UserError):
        return exists(path) and not is_directory(path)
    return False


def check_directory(given: str | None) -> None:
    """Raises UserError if `--photos` was given and is no directory."""
    if given and not is_directory(given):
        raise UserError(f"--photos: no directory {given}")
