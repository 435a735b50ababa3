"""Normalises the ids of photos and the names of splits."""

import os
import posixpath
import unicodedata

from records.storage.files import as_utf8


def photo_id(path: str) -> str:
    r"""Returns a photo's id: its path below the photo directory, in one spelling.

    The id is in normal form NFC, while macOS lists a letter and its accent separately.
    Spaces around names, `.` and doubled slashes are left out. Bytes that
    are not UTF-8 are written as `\udce9`, so that the id can be stored as text.

    >>> photo_id("./train//cafe\u0301.jpg ")
    'train/café.jpg'
    """
    parts = posixpath.normpath(as_utf8(path).strip()).split("/")
    return unicodedata.normalize("NFC", "/".join(map(str.strip, parts)))


def base_name(path: str) -> str:
    """Returns the last part of an id or path; empty where it ends in a slash."""
    return path.rpartition("/")[2]


def is_below(path: str) -> bool:
    """Returns True if a path is relative and does not lead out of its directory."""
    parts = path.split("/")
    return bool(path) and not os.path.isabs(path) and ".." not in parts


# Common names of splits in lower case; Karpathy's split trains on `restval`.
SPLIT_NAMES = {
    **dict.fromkeys(("train", "training", "restval"), "train"),
    **dict.fromkeys(("dev", "development", "val", "valid", "validation"), "dev"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def split_name(name: str) -> str:
    """Returns `train`, `dev` or `test` for any of their names; else the name itself.

    >>> split_name("Validation"), split_name("mine")
    ('dev', 'mine')
    """
    return SPLIT_NAMES.get(name.strip().lower(), name)
