"""JSON lines, the form for captions of one's own: a photo, its captions, its split.

    {"photo": "a.jpg", "captions": ["A dog runs .", "A brown dog ."], "split": "train"}

`photo` is the path below the photo directory; the photo's id is the last part of it.
`split` is `train`, `dev` (or `val`) or `test`. Lines of one photo add up.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from beam_jobs.elements import Reject
from beam_jobs.sources.json_files import JsonSource
from beam_jobs.sources.json_items import (
    Item,
    field,
    path_text,
    photo_items,
    text,
)
from beam_jobs.sources.lines import (
    read_lines,
    refuse_if_none_is_read,
    start_of_captions,
)


def read_jsonl(path: str) -> Iterator[Item]:
    """Reads a file from end to end, so that a reject can name its line."""
    for number, line in read_lines(path):
        yield from line_items(line, f"{path}:{number}")


class Jsonl(JsonSource):
    """Any number of files; their lines stand beside each other."""

    name = "jsonl"
    needs = "--captions FILE (one or more; photo, captions and split in each line)"
    several = True
    reader = staticmethod(read_jsonl)

    @classmethod
    def open(cls, captions: Sequence[str], splits: None) -> "Jsonl":
        for path in captions:
            first = [
                next(line_items(line, f"{path}:{number}"))
                for number, line in start_of_captions(path)
            ]
            refuse_if_none_is_read(path, first)
        return cls.named(captions, splits)


def line_items(line: bytes, where: str) -> Iterator[Item]:
    """All that one line says.

    >>> list(line_items(b'{"photo": "a.jpg", "captions": []}', "f:1"))
    [AtPath(photo_id='a.jpg', path='a.jpg')]
    """
    try:
        entry = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        yield Reject("photo", where, "not_utf8", str(error), 0)
    except (ValueError, RecursionError) as error:
        detail = f"expected a JSON object; received {line[:80]!r} ({error})"
        yield Reject("photo", where, "malformed_line", detail, 0)
    else:
        yield from photo_items(where, entry, photo_path, "captions", caption_text)


def photo_path(entry: Any) -> str:
    return path_text(field(entry, "photo"), "photo")


def caption_text(value: Any) -> str:
    return text(value, "caption")
