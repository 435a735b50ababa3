"""Reads JSON documents, and rejects values that are wrong.

A reject names its place by file and pointer: `dataset.json:images[3].sentences[0]`.
Any value in the place of a caption counts as one caption in.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from beam_jobs.elements import Caption, Item, Named, SplitAssignment
from beam_jobs.sources.base import ANY_FORM
from beam_jobs.sources.item_error import ItemError
from beam_jobs.sources.lines import open_unpacked, read_start, without_mark
from records.errors import UserError
from records.format.rejects import Reject
from records.format.sharding import SPLITS
from records.storage.files import as_utf8, read_stream
from records.storage.photo_ids import base_name, photo_id, split_name

MOST = 1 << 16  # captions of an entry: numbers of those of the next one follow
LARGEST = 4 << 30  # bytes of a document, unpacked


def check_starts_an_object(path: str) -> None:
    """Checks the first bytes, so that most wrong files are refused before any work.

    Raises:
        UserError: no such file, an empty one, or no JSON object.
    """
    start = read_start(path)
    if not start:
        raise UserError(f"--captions: {path} is empty")
    if not start.startswith(b"{"):
        raise UserError(
            f"--captions: {path} is no JSON object; it begins with {start[:40]!r}. "
            f"{ANY_FORM}"
        )


def parse_option(option: str) -> tuple[str | None, str]:
    """Returns split and path of an option; no split where it names none.

    >>> parse_option("val=a.json"), parse_option("a=b.json")
    (('dev', 'a.json'), (None, 'a=b.json'))
    """
    name, equals, path = option.partition("=")
    split = split_name(name)
    if equals and split in SPLITS:
        return split, path
    return None, option


def load_object(path: str) -> dict[str, Any]:
    """Reads a JSON object, as a whole, into memory.

    Raises:
        UserError: it cannot be read or is not a JSON object; names the position.
    """
    content = load_document(path)
    if not isinstance(content, dict):
        kind = type(content).__name__
        raise UserError(f"{path}: expected a JSON object at the top; received a {kind}")
    return content


def load_document(path: str) -> Any:
    """Reads a JSON document, as a whole, into memory.

    Raises:
        UserError: it cannot be read; names the position.
    """
    with open_unpacked(path) as file:
        content = read_stream(file, path, LARGEST)
    try:
        return json.loads(without_mark(content, path))
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8 at byte {error.start}: {error.reason}"
        ) from None
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}:{error.lineno}:{error.colno} is not JSON: {error.msg}"
        ) from None
    except (RecursionError, ValueError) as error:  # too deep, or a number too long
        raise UserError(f"{path} cannot be read as JSON: {error}") from None


def entries(content: dict[str, Any], path: str, key: str) -> Iterator[tuple[str, Any]]:
    """Yields (file and pointer, entry) of an array at the top of a document.

    Raises:
        UserError: the array is missing or empty.
    """
    values = content.get(key)
    if not isinstance(values, list) or not values:
        keys = ", ".join(sorted(content)[:8]) or "nothing"
        kind = "an empty array" if values == [] else f"{type(values).__name__}"
        received = kind if key in content else f"an object with {keys}"
        raise UserError(
            f"{path}: expected an array {key!r} with entries at the top; received "
            f"{received}"
        )
    for index, entry in enumerate(values):
        yield f"{path}:{key}[{index}]", entry


def photo_items(
    where: str,
    entry: Any,
    path_of: Callable[[Any], str],
    keys: Sequence[str],
    text_of: Callable[[Any], str],
    split: str | None = None,
    index: int = 0,
) -> Iterator[Item]:
    """Yields the items of an entry with a photo, its split and its captions.

    Args:
        where: file and pointer of the entry.
        path_of: returns the photo's id, from the entry.
        keys: names that the field of the captions may have.
        text_of: returns a caption, from an item of that field.
        split: of all photos of the file, if the command line names it.
        index: of the entry, where several entries of one photo add up.
    """
    try:
        photo = path_of(entry)
    except ItemError as bad:
        yield bad.reject("photo", where, count(entry, keys))
        return
    splits = list(split_items(photo, entry.get("split")))
    splits += [SplitAssignment(photo, split)] if split else []
    items = caption_items(where, photo, entry, keys, text_of)
    captions = [
        item._replace(number=index * MOST + item.number)
        if isinstance(item, Caption)
        else item
        for item in items
    ]
    yield from (*splits, *captions)
    if not splits and all(isinstance(item, Reject) for item in captions):
        yield Named(photo)


def split_items(photo: str, name: Any) -> Iterator[SplitAssignment]:
    """Yields the photo's split, if it has one; an unknown name stays as it is."""
    if name is not None:
        yield SplitAssignment(photo, split_name(as_utf8(str(name))))


def caption_items(
    where: str,
    photo: str,
    entry: dict,
    keys: Sequence[str],
    text_of: Callable[[Any], str],
) -> Iterator[Caption | Reject]:
    try:
        key, value = first_field(entry, keys)
        texts = [value] if isinstance(value, str) else array(value, key)
    except ItemError as bad:
        yield bad.reject("caption", where, 1)
        return
    for number, item in enumerate(texts):
        place = f"{where}.{key}[{number}]"
        try:
            yield Caption(photo, number, place, text_of(item))
        except ItemError as bad:
            yield bad.reject("caption", place, 1)


def count(entry: Any, keys: Sequence[str]) -> int:
    """Returns the number of captions lost with an entry that names no photo."""
    with suppress(ItemError):
        _, texts = first_field(entry, keys)
        return len(texts) if isinstance(texts, list) else int(isinstance(texts, str))
    return 0


def first_field(entry: Any, keys: Sequence[str]) -> tuple[str, Any]:
    """Returns the first of some keys that an entry has, and its value."""
    if not isinstance(entry, dict):
        raise ItemError("not_an_object", f"expected an object; received {shown(entry)}")
    for key in keys:
        if key in entry:
            return key, entry[key]
    names = " or ".join(map(repr, keys))
    raise ItemError("missing_field", f"expected a field {names} in {shown(entry)}")


def field(entry: Any, key: str) -> Any:
    return first_field(entry, [key])[1]


def array(value: Any, key: str) -> list:
    if not isinstance(value, list):
        raise ItemError(
            "not_an_array", f"expected {key!r} to be an array; received {shown(value)}"
        )
    return value


def text(value: Any, key: str) -> str:
    """Returns a string that UTF-8 can encode: JSON can hold half a surrogate pair."""
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
    """Returns a photo's id from its path, which must end in a file name."""
    path = text(value, key)
    if not base_name(path):
        raise ItemError(
            "no_file_name", f"expected {key!r} to name a file; received {shown(value)}"
        )
    return photo_id(path)


def shown(value: Any) -> str:
    """Returns a short form of a value, ASCII only."""
    whole = ascii(value)
    return whole if len(whole) <= 80 else whole[:77] + "..."
