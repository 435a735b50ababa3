"""JSON lines, the form for your own captions: a photo, its captions, its split.

    {"photo": "a.jpg", "captions": ["A dog runs .", "A brown dog ."], "split": "train"}

The key of the photo is `photo`, `image`, `file_name` or `filename`. The key of the
captions is `captions`, `caption` or `text`; its value is an array or one caption. So
`metadata.jsonl` of Hugging Face's image folders can be read. A file may also hold one
JSON array of such objects, as BLIP's files do. Several entries of a photo are joined in
their order.

The photo's id is its path below the photo directory. `split` is `train`, `dev`
(`val`, `validation`) or `test`. If the entries have none, `--captions train=FILE` names
the split of a file.
"""

import itertools
import json
from collections.abc import Iterator
from typing import Any

from beam_jobs.elements import Item
from beam_jobs.sources.base import Source, refuse_if_none_is_read
from beam_jobs.sources.item_error import ItemError
from beam_jobs.sources.json_source import (
    first_field,
    load_document,
    parse_option,
    path_text,
    photo_items,
    text,
)
from beam_jobs.sources.lines import (
    decode_line,
    read_lines,
    read_start,
    start_of_captions,
)
from records.format.rejects import Reject

PHOTO_KEYS = ("photo", "image", "file_name", "filename")
CAPTION_KEYS = ("captions", "caption", "text")


class Jsonl(Source):
    """Any number of files, whose entries are read together."""

    name = "jsonl"
    needs = (
        "--captions FILE or SPLIT=FILE, once or more (photo and captions in each line, "
        "and split where neither the option nor --split_fractions says it)"
    )
    several = True

    @classmethod
    def check_start(cls, option: str) -> None:
        _, path = parse_option(option)
        refuse_if_none_is_read(path, list(first_items(path)))

    @staticmethod
    def read(option: str) -> Iterator[Item]:
        """Reads a file, `path` or `split=path`; a reject names its line or entry.

        JSON lines are read one by one, an array as a whole.
        """
        split, path = parse_option(option)
        if read_start(path).startswith(b"["):
            for index, entry in enumerate(load_document(path)):
                yield from entry_items(entry, f"{path}:[{index}]", split, index)
        else:
            for number, line in read_lines(path):
                yield from line_items(line, f"{path}:{number}", split, number - 1)


def first_items(path: str, count: int = 10) -> Iterator[Item]:
    """Yields an item of each of the first lines; of an array, all that it begins with.

    Raises:
        UserError: the file cannot be read, or is empty.
    """
    lines = start_of_captions(path)
    if read_start(path).startswith(b"["):
        yield from itertools.islice(Jsonl.read(path), count)
    else:
        for number, line in lines:
            yield next(line_items(line, f"{path}:{number}"))


def line_items(
    line: bytes, where: str, split: str | None = None, index: int = 0
) -> Iterator[Item]:
    """Yields the items of one line.

    >>> list(line_items(b'{"image": "a.jpg", "caption": "A dog ."}', "f:1"))
    [Caption(photo_id='a.jpg', number=0, where='f:1.caption[0]', text='A dog .', ...)]
    """
    try:
        entry = json.loads(decode_line(line))
    except ItemError as bad:
        yield bad.reject("photo", where, 0)
    except (ValueError, RecursionError) as error:
        detail = f"expected a JSON object; received {line[:80]!r} ({error})"
        yield Reject("photo", where, "malformed_line", detail, 0)
    else:
        yield from entry_items(entry, where, split, index)


def entry_items(
    entry: Any, where: str, split: str | None, index: int
) -> Iterator[Item]:
    return photo_items(
        where, entry, photo_path, CAPTION_KEYS, caption_text, split, index
    )


def photo_path(entry: Any) -> str:
    key, value = first_field(entry, PHOTO_KEYS)
    return path_text(value, key)


def caption_text(value: Any) -> str:
    return text(value, "caption")
