"""The base of sources with one caption a line, and split lists."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from beam_jobs.elements import Caption
from beam_jobs.sources.base import Source, refuse_if_none_is_read
from beam_jobs.sources.caption_table import CaptionTable
from beam_jobs.sources.item_error import ItemError
from beam_jobs.sources.lines import (
    NUMBER,
    decode_line,
    first_lines,
    read_lines,
    start_of_captions,
)
from records.errors import UserError
from records.format.rejects import Reject
from records.storage.files import exists
from records.storage.photo_ids import photo_id

TOKEN_LINE = re.compile(rf"(?P<photo>[^\t#]+)#(?P<number>{NUMBER})\t(?P<text>.*\S.*)")


@dataclass(frozen=True)
class LineSource(Source):
    """A file with a caption a line, and a list of photos for each split.

    The file has one of two forms: Flickr8k's `photo.jpg#number<TAB>caption`, or a
    table, which begins with a header.

    Attributes:
        list_names: split -> names that its list may have.
    """

    takes_splits: ClassVar[bool] = True
    list_names: ClassVar[Mapping[str, Sequence[str]]]

    @classmethod
    def named(cls, captions: Sequence[str], splits: str | None = None) -> Source:
        if splits is None:
            return cls(tuple(captions))
        first = {split: names[0] for split, names in cls.list_names.items()}
        paths = {s: os.path.join(splits, name) for s, name in first.items()}
        return cls(tuple(captions), paths)

    @classmethod
    def open(cls, captions: Sequence[str], splits: str | None = None) -> Source:
        source = super().open(captions, splits)
        return replace(source, lists=cls.find_lists(splits)) if splits else source

    @classmethod
    def check_start(cls, option: str) -> None:
        parsed = list(parse_lines(option, start_of_captions(option)))
        if not parsed:
            raise UserError(f"--captions: {option} has a header and no caption")
        refuse_if_none_is_read(option, parsed)

    @staticmethod
    def read(option: str) -> Iterator[Caption | Reject]:
        """Reads a caption file from end to end, so that a reject can name its line."""
        return parse_lines(option, read_lines(option))

    @classmethod
    def find_lists(cls, directory: str) -> dict[str, str]:
        """Returns the path of each split's list in a directory.

        Raises:
            UserError: a list is missing, exists twice or names no photo.
        """
        return {
            split: find_list(directory, split, names)
            for split, names in cls.list_names.items()
        }


def parse_lines(
    path: str, lines: Iterable[tuple[int, bytes]]
) -> Iterator[Caption | Reject]:
    """Reads numbered lines of either form; the header of a table is no caption."""
    parse = parse_token_line
    for index, (number, line) in enumerate(lines):
        table = CaptionTable.from_header(line) if index == 0 else None
        if table:
            parse = table.parse
        else:
            yield parse(line, f"{path}:{number}")


def parse_token_line(line: bytes, where: str) -> Caption | Reject:
    r"""Reads one line of a file of tokens.

    >>> parse_token_line(b"1.jpg#0\tA dog runs .", "captions.txt:1").text
    'A dog runs .'
    """
    try:
        text = decode_line(line)
    except ItemError as bad:
        return bad.reject("caption", where, 1)
    match = TOKEN_LINE.fullmatch(text)
    if not match:
        detail = f"expected photo.jpg#number<TAB>caption; received {text[:80]!r}"
        return Reject("caption", where, "malformed_line", detail, 1)
    text = match["text"].strip()
    return Caption(photo_id(match["photo"]), int(match["number"]), where, text)


def find_list(directory: str, split: str, names: Sequence[str]) -> str:
    paths = [os.path.join(directory, name) for name in names]
    existing = [path for path in paths if exists(path)]
    if not existing:
        raise UserError(f"--splits: no file {' or '.join(names)} in {directory}")
    if len(existing) > 1:
        raise UserError(
            f"--splits: {' and '.join(existing)} both list split {split!r}; keep one"
        )
    if not first_lines("--splits", existing[0], 1):
        raise UserError(
            f"--splits: {existing[0]} names no photo, so split {split!r} would be "
            "empty; expected one photo file name a line"
        )
    return existing[0]
