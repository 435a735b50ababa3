"""One JSON document as a whole: reading it, and what is wrong with all of it."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from apache_beam.io.filesystems import FileSystems

from beam_jobs.sources.base import ANY_FORM, Source
from beam_jobs.sources.json_items import Item
from beam_jobs.sources.line_source import UNREADABLE, open_source, why, without_mark
from records.errors import UserError
from records.format.sharding import SPLITS
from records.storage.photo_ids import split_name


@dataclass(frozen=True)
class JsonSource(Source):
    """Files that hold captions, splits and names of photos together.

    Attributes:
        inputs: what `--captions` was given, in order.
        reader: reads one of them.
    """

    reader: ClassVar[Callable[[str], Iterator[Item]]]

    inputs: tuple[str, ...]

    @classmethod
    def named(cls, captions: Sequence[str], splits: None) -> "JsonSource":
        return cls(tuple(captions))

    def files(self) -> dict[str, str]:
        return {"captions": ", ".join(self.inputs)}

    def to_read(self) -> list[str]:
        return sorted(set(self.inputs))

    def items(self, given: str) -> Iterator[Item]:
        return self.reader(given)


def check_starts_an_object(path: str) -> None:
    """Looks at the first bytes, so that most wrong files are refused before any work.

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


def read_start(path: str) -> bytes:
    """Returns the first bytes of a document, without white space before it."""
    if not FileSystems.exists(path):
        raise UserError(f"--captions: no file {path}")
    try:
        with open_source(path) as file:
            start = file.read(4096)
    except UNREADABLE as error:
        raise UserError(f"--captions: cannot read {path}: {why(error)}") from None
    return without_mark(start, path).lstrip()


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
    try:
        with open_source(path) as file:
            content = file.read()
        return json.loads(without_mark(content, path))
    except UNREADABLE as error:
        raise UserError(f"cannot read {path}: {why(error)}") from None
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
        UserError: the array is not there or empty.
    """
    found = content.get(key)
    if not isinstance(found, list) or not found:
        there = ", ".join(sorted(content)[:8]) or "nothing"
        kind = "an empty array" if found == [] else f"{type(found).__name__}"
        received = kind if key in content else f"an object with {there}"
        raise UserError(
            f"{path}: expected an array {key!r} with entries at the top; received "
            f"{received}"
        )
    for index, entry in enumerate(found):
        yield f"{path}:{key}[{index}]", entry
