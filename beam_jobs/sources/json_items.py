"""What JSON sources share: looking into a value, with a reject where it is wrong.

A reject names its place by file and pointer: `dataset.json:images[3].sentences[0]`.
Whatever stands in the place of a caption counts as one caption in.
"""

import posixpath
from collections.abc import Callable, Iterator
from typing import Any

from beam_jobs.elements import AtPath, Caption, InSplit, Reject
from beam_jobs.sources import SPLIT_NAMES

Item = Caption | Reject | InSplit | AtPath


class ItemError(Exception):
    """A value that cannot be used; becomes a Reject where its place is known."""

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason

    def reject(self, what: str, where: str, captions: int) -> Reject:
        return Reject(what, where, self.reason, str(self), captions)


def photo_items(
    where: str,
    entry: Any,
    path_of: Callable[[Any], str],
    key: str,
    text_of: Callable[[Any], str],
) -> Iterator[Item]:
    """All that one entry with a photo, its split and its captions says.

    Args:
        where: file and pointer of the entry.
        path_of: the photo's path, from the entry.
        key: of the array of captions.
        text_of: a caption, from one item of that array.
    """
    try:
        path = path_of(entry)
    except ItemError as bad:
        yield bad.reject("photo", where, count(entry, key))
        return
    photo_id = file_name(path)
    yield AtPath(photo_id, path)
    yield from split_items(photo_id, entry.get("split"))
    yield from caption_items(f"{where}.{key}", photo_id, entry, key, text_of)


def split_items(photo_id: str, name: Any) -> Iterator[InSplit]:
    """The photo's split, by any of its names; an unknown one is passed on."""
    if name is not None:
        readable = str(name).encode("utf-8", "backslashreplace").decode()
        yield InSplit(photo_id, SPLIT_NAMES.get(readable, readable))


def caption_items(
    where: str, photo_id: str, entry: dict, key: str, text_of: Callable[[Any], str]
) -> Iterator[Caption | Reject]:
    try:
        texts = array(field(entry, key), key)
    except ItemError as bad:
        yield bad.reject("caption", where, 1)
        return
    for number, item in enumerate(texts):
        there = f"{where}[{number}]"
        try:
            yield Caption(photo_id, number, there, text_of(item))
        except ItemError as bad:
            yield bad.reject("caption", there, 1)


def count(entry: Any, key: str) -> int:
    """How many captions are lost with an entry that names no photo."""
    texts = entry.get(key) if isinstance(entry, dict) else None
    return len(texts) if isinstance(texts, list) else 0


def field(entry: Any, key: str) -> Any:
    if not isinstance(entry, dict):
        raise ItemError("not_an_object", f"expected an object; received {shown(entry)}")
    if key not in entry:
        raise ItemError("missing_field", f"expected a field {key!r} in {shown(entry)}")
    return entry[key]


def array(value: Any, key: str) -> list:
    if not isinstance(value, list):
        raise ItemError(
            "not_an_array", f"expected {key!r} to be an array; received {shown(value)}"
        )
    return value


def text(value: Any, key: str) -> str:
    """A string that can be written as UTF-8: JSON can hold half a surrogate pair."""
    if not isinstance(value, str):
        raise ItemError(
            "not_a_string", f"expected {key!r} to be a string; received {shown(value)}"
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ItemError("not_utf8", f"{key!r}: {error}") from None
    return value.strip()


def path_text(value: Any, key: str) -> str:
    """A photo's path below the photo directory; it ends in the photo's name."""
    path = text(value, key)
    if not file_name(path):
        raise ItemError(
            "no_file_name", f"expected {key!r} to name a file; received {shown(value)}"
        )
    return posixpath.normpath(path)


def file_name(path: str) -> str:
    """A photo's id: its path without the folders."""
    return path.rpartition("/")[2]


def shown(value: Any) -> str:
    """A value in few characters, ASCII only."""
    whole = ascii(value)
    return whole if len(whole) <= 80 else whole[:77] + "..."
