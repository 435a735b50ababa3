"""Finding a record's photo again, by its id: a path below the photo directory."""

import functools
import hashlib
import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from records.console import print_plain
from records.errors import UserError
from records.photo_header import MAX_BYTES
from records.storage.files import file_sizes, is_directory, is_file, read_file
from records.storage.photo_ids import base_name, is_below, photo_id


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
        if first and os.path.relpath(first, self.directory) != photo_id:
            second = next(places, None)
        return None if second else first

    def read(self, photo_id: str, sha256: bytes) -> PhotoFile | None:
        """The photo whose bytes have this digest, else one of that name; or None."""
        other = None
        for path in self.places(photo_id):
            with suppress(OSError, UserError):
                content = read_file(path, MAX_BYTES)
                same = hashlib.sha256(content).digest() == sha256
                if same:
                    return PhotoFile(path, content, same)
                other = other or PhotoFile(path, content, same)
        return other

    def places(self, name: str) -> Iterator[str]:
        """Yields where a photo of this id may lie, first its path as it is written.

        Ids come out of record sets, which may be anybody's: none leads out of the
        directory.
        """
        if not is_below(name):
            return
        direct = os.path.join(self.directory, name)
        if is_readable(direct):
            yield direct
        found = self._paths.get(photo_id(name), ())
        yield from (path for path in found if path != direct)

    @functools.cached_property
    def _paths(self) -> dict[str, list[str]]:
        """Id, and name alone of a photo in a folder -> paths."""
        paths = defaultdict(list)
        with suppress(OSError, UserError):
            for place in file_sizes(self.directory, nested=True):
                path, found = os.path.join(self.directory, place), photo_id(place)
                for name in {found, base_name(found)}:
                    paths[name].append(path)
        return paths


def is_readable(path: str) -> bool:
    """False also of a place that cannot be looked at."""
    with suppress(OSError, UserError):
        return is_file(path)
    return False


def named_folder(sources: Mapping[str, str], given: str | None) -> PhotoFolder:
    """Returns the folder that was given, or else the one that a manifest names.

    A manifest may be anybody's: standard error says what folder it has us read.
    """
    named = sources.get("photos", "")
    if named and not given:
        print_plain(
            f"photos are read from {named}, which dataset.json names; --photos DIR "
            "names another folder",
            file=sys.stderr,
        )
    return PhotoFolder(given or named)


def check_directory(given: str | None) -> None:
    """Raises UserError if `--photos` was given and is no directory."""
    if given and not is_directory(given):
        raise UserError(f"--photos: no directory {given}")
