"""Finds the photo of a record by its id, a path below the photo directory."""

import functools
import hashlib
import logging
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from records.console import visible
from records.errors import UserError
from records.photo_header import MAX_BYTES
from records.storage.files import file_sizes, is_directory, is_file, read_file
from records.storage.photo_ids import base_name, is_below, photo_id

LOGGER = logging.getLogger(__name__)


class PhotoFile(NamedTuple):
    """A photo file.

    Attributes:
        path: of the file.
        content: its bytes.
        same: the bytes have the digest of the record.
    """

    path: str
    content: bytes
    same: bool


class PhotoFolder:
    """The photo files of a directory and its subdirectories.

    Subdirectories are listed once, when a photo is first missing at its direct path.

    Args:
        directory: of the photos; if it does not exist no photo is found.
    """

    def __init__(self, directory: str):
        self.directory = directory

    def find(self, photo_id: str) -> str | None:
        """Returns the photo's path; None without a match, or with several."""
        paths = self.candidates(photo_id)
        first, second = next(paths, None), None
        if first and os.path.relpath(first, self.directory) != photo_id:
            second = next(paths, None)
        return None if second else first

    def read(self, photo_id: str, sha256: bytes) -> PhotoFile | None:
        """Reads the photo of this digest, else the first of this name, else None."""
        other = None
        for path in self.candidates(photo_id):
            with suppress(OSError, UserError):
                content = read_file(path, MAX_BYTES)
                same = hashlib.sha256(content).digest() == sha256
                if same:
                    return PhotoFile(path, content, same)
                other = other or PhotoFile(path, content, same)
        return other

    def candidates(self, name: str) -> Iterator[str]:
        """Yields paths that a photo of this id may have, its direct path first.

        An id comes from a record set, which anyone may have made. So ids that lead out
        of the directory have no paths.
        """
        if not is_below(name):
            return
        direct = os.path.join(self.directory, name)
        if is_readable(direct):
            yield direct
        paths = self._paths.get(photo_id(name), ())
        yield from (path for path in paths if path != direct)

    @functools.cached_property
    def _paths(self) -> dict[str, list[str]]:
        """Paths by id, and by the last part of the id."""
        paths = defaultdict(list)
        with suppress(OSError, UserError):
            for relative in file_sizes(self.directory, nested=True):
                path, name = os.path.join(self.directory, relative), photo_id(relative)
                for key in {name, base_name(name)}:
                    paths[key].append(path)
        return paths


def is_readable(path: str) -> bool:
    """Returns True for a regular file, and False if the check itself fails."""
    with suppress(OSError, UserError):
        return is_file(path)
    return False


def named_folder(sources: Mapping[str, str], option: str | None) -> PhotoFolder:
    """Returns the folder that `--photos` names, else the one that the manifest names.

    Anyone may have made the manifest, so a warning names its folder.

    Args:
        sources: of the manifest.
        option: directory that `--photos` names.
    """
    named = sources.get("photos", "")
    if named and not option:
        LOGGER.warning(
            "photos are read from %s, which dataset.json names; --photos DIR names "
            "another folder",
            visible(named),
        )
    return PhotoFolder(option or named)


def check_directory(option: str | None) -> None:
    """Raises UserError if `--photos` names something else than a directory."""
    if option and not is_directory(option):
        raise UserError(f"--photos: no directory {option}")
