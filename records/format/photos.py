"""Finds the photos of a record set: in a folder, or in zips, tars and Parquet files.

This package reads no containers. A distribution registers a reader of them by an entry
point of the group `records.photos`, a function

    (sources: Mapping[str, str], path: str) -> Photos

of the manifest's `sources` and the containers' path, which may be a pattern.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import Protocol

from records.errors import UserError
from records.storage.files import is_directory
from records.storage.photo_directory import (
    PhotoFile,
    PhotoFolder,
    check_directory,
    named_folder,
)

LOGGER = logging.getLogger(__name__)
GROUP = "records.photos"
CONTAINERS = (".zip", ".tar", ".parquet")


class Photos(Protocol):
    """Photos by their ids.

    Attributes:
        directory: their folder, or the path of their containers.
    """

    directory: str

    def locate(self, photo_ids: Iterable[str]) -> Sequence[str]:
        """Finds photos in one pass; returns their ids in the best order to read them.

        Photos that are read without it take a pass each.
        """

    def read(self, photo_id: str, sha256: bytes) -> PhotoFile | None:
        """Reads the photo of this digest, else the first of this name, else None."""


class FolderPhotos(PhotoFolder):
    """Photos in a folder, which is listed once."""

    def locate(self, photo_ids: Iterable[str]) -> Sequence[str]:
        """Returns the ids in their order."""
        return list(photo_ids)


def read_all(
    photos: Photos, wanted: Mapping[str, bytes]
) -> dict[str, PhotoFile | None]:
    """Reads photos.

    Args:
        photos: where they are.
        wanted: SHA-256 of each, by its id.

    Returns:
        The photos by their ids; None for those that are not found.
    """
    return {name: photos.read(name, wanted[name]) for name in photos.locate(wanted)}


def is_container(path: str) -> bool:
    """Returns True if a path or pattern names containers."""
    return path.lower().endswith(CONTAINERS) and not is_directory(path)


def check_photos(option: str | None) -> None:
    """Raises UserError if `--photos` names neither a directory nor containers."""
    if option and not is_container(option):
        check_directory(option)


def named_photos(sources: Mapping[str, str], option: str | None) -> Photos:
    """Returns the photos that `--photos` names, else those that the manifest names.

    Args:
        sources: of the manifest.
        option: directory or containers that `--photos` names.

    Raises:
        UserError: containers cannot be read.
    """
    path = named_folder(sources, option).directory
    return open_containers(sources, path) if is_container(path) else FolderPhotos(path)


def photos_to_show(sources: Mapping[str, str], option: str | None) -> Photos:
    """Returns photos as `named_photos`; none if those of the manifest cannot be read.

    Raises:
        UserError: the containers that `--photos` names cannot be read.
    """
    try:
        return named_photos(sources, option)
    except UserError as error:
        if option:
            raise
        LOGGER.warning("no photos are shown: %s", error)
        return FolderPhotos(sources["photos"])


def open_containers(sources: Mapping[str, str], path: str) -> Photos:
    """Opens containers by the first entry point of the group.

    Raises:
        UserError: there is none, or it cannot read them.
    """
    readers = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    remedy = "pip install 'tfcap[beam]', or unpack them and name the folder by --photos"
    if not readers:
        raise UserError(
            f"no installed package reads {path} (entry point group {GROUP}); install "
            "tfcap here, or again if it is: pip install --editable ."
        )
    try:
        load = readers[0].load()
    except ImportError as error:
        raise UserError(f"{path} cannot be read here ({error}); {remedy}") from None
    return load(sources, path)
