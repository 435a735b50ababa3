"""The base of sources with one caption a line, and split lists."""

import codecs
import itertools
import os
import re
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, ClassVar

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from beam_jobs.elements import Caption, Named, SplitAssignment
from beam_jobs.sources.base import ANY_FORM, Source
from records.errors import UserError
from records.format.rejects import Reject
from records.storage.base import check_regular, is_remote
from records.storage.photo_ids import photo_id

PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")
CONVERT = (
    "Convert it to UTF-8 from the encoding it has, e.g. iconv -f LATIN1 -t UTF-8 {}"
)
UNREADABLE = (OSError, EOFError, zlib.error)  # the last two: damaged archives
CAPTIONS = "captions"  # the one of a source's files that is no list


@dataclass(frozen=True)
class LineSource(Source):
    """A file with a caption a line, and a list of photos for each split.

    Attributes:
        captions: path of the caption file.
        splits: split -> path of its list; none where photos are split by their ids.
        reader: reads a caption file, by its path.
        suffix: of photo file names, where a list may leave it out.
        lists: split -> names that its list may have.
    """

    takes_splits: ClassVar[bool] = True
    reader: ClassVar[Callable[[str], Iterator[Caption | Reject]]]
    suffix: ClassVar[str] = ""
    lists: ClassVar[Mapping[str, Sequence[str]]]

    captions: str
    splits: dict[str, str]

    @classmethod
    def named(cls, captions: Sequence[str], splits: str | None) -> "LineSource":
        if splits is None:
            return cls(captions[0], {})
        first = {split: names[0] for split, names in cls.lists.items()}
        paths = {s: FileSystems.join(splits, name) for s, name in first.items()}
        return cls(captions[0], paths)

    def files(self) -> dict[str, str]:
        return {CAPTIONS: self.captions, **self.splits}

    def to_read(self) -> list[tuple[str, str]]:
        return sorted(self.files().items())

    def items(
        self, part: tuple[str, str]
    ) -> Iterator[Caption | SplitAssignment | Reject]:
        what, path = part
        if what == CAPTIONS:
            return self.reader(path)
        return read_split(what, path, self.suffix)


def read_split(split: str, path: str, suffix: str = "") -> Iterator[SplitAssignment]:
    """Yields the photos of a list.

    Args:
        split: that the list is of.
        path: of the list.
        suffix: added to names that do not end so.
    """
    for number, line in read_lines(path):
        try:
            name = line.decode().strip()
        except UnicodeDecodeError as error:
            raise UserError(
                f"{path}:{number} is not UTF-8 ({error.reason}); convert the list"
            ) from None
        yield SplitAssignment(photo_id(with_suffix(name, suffix)), split)


def with_suffix(name: str, suffix: str) -> str:
    """Adds a suffix to a photo's name, unless it ends as photos' names do.

    >>> [with_suffix(name, ".jpg") for name in ("1000", "1000.JPG", "1000.png")]
    ['1000.jpg', '1000.JPG', '1000.png']
    """
    return name if name.lower().endswith(PHOTO_SUFFIXES) else name + suffix


def parse_line(
    line: bytes, where: str, form: re.Pattern, expected: str
) -> Caption | Reject:
    """Reads a line by a pattern with groups `photo`, `number` and `text`."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        return Reject("caption", where, "not_utf8", str(error), 1)
    match = form.fullmatch(text)
    if not match:
        detail = f"expected {expected}; received {text[:80]!r}"
        return Reject("caption", where, "malformed_line", detail, 1)
    text = match["text"].strip()
    return Caption(photo_id(match["photo"]), int(match["number"]), where, text)


def read_lines(path: str) -> Iterator[tuple[int, bytes]]:
    """Yields (line number from 1, line without its end); blank lines are skipped.

    So is the mark that some editors put before UTF-8 text.

    Raises:
        UserError: the file is UTF-16.
    """
    with open_source(path) as file:
        number = 0
        while line := file.readline():
            number += 1
            if number == 1:
                line = without_mark(line, path)
            if line.strip():
                yield number, line.rstrip(b"\r\n")


def open_source(path: str) -> BinaryIO:
    """Opens a file of captions or a list, unpacked.

    Raises:
        StorageUserError: it is a pipe or a device, which may have no end.
    """
    if not is_remote(path):
        check_regular(path, os.stat(path).st_mode)
    return FileSystems.open(path, compression_type=CompressionTypes.AUTO)


def without_mark(start: bytes, path: str) -> bytes:
    """Returns the beginning of a file without the byte-order mark of UTF-8.

    Raises:
        UserError: it has that of UTF-16.
    """
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UserError(
            f"{path} is UTF-16; expected UTF-8. Convert it, e.g. "
            f"iconv -f UTF-16 -t UTF-8 {path}"
        )
    return start.removeprefix(codecs.BOM_UTF8)


def first_lines(flag: str, path: str, count: int) -> list[tuple[int, bytes]]:
    try:
        return list(itertools.islice(read_lines(path), count))
    except UNREADABLE as error:
        raise UserError(f"{flag}: cannot read {path}: {why(error)}") from None


def why(error: Exception) -> str:
    """Returns the cause of an error, without the name of the file if possible."""
    return getattr(error, "strerror", None) or str(error)


def start_of_captions(path: str, count: int = 10) -> list[tuple[int, bytes]]:
    """Returns the first lines of a caption file.

    Raises:
        UserError: no such file, or an empty one.
    """
    if not FileSystems.exists(path):
        raise UserError(f"--captions: no file {path}")
    first = first_lines("--captions", path, count)
    if not first:
        raise UserError(f"--captions: {path} is empty")
    return first


def check_captions_file(
    path: str,
    parse: Callable[[str, Iterator[tuple[int, bytes]]], Iterator[Caption | Reject]],
) -> None:
    """Looks at the first lines, so that a wrong file is refused before any work.

    Args:
        parse: reads a file's numbered lines.

    Raises:
        UserError: no such file, an empty one, or another format.
    """
    parsed = list(parse(path, iter(start_of_captions(path))))
    if not parsed:
        raise UserError(f"--captions: {path} has a header and no caption")
    refuse_if_none_is_read(path, parsed)


def refuse_if_none_is_read(path: str, items: Sequence[object]) -> None:
    """Refuses a file whose first lines are rejected one and all, or that has none."""
    rejects = [item for item in items if isinstance(item, Reject)]
    if not items:
        raise UserError(f"--captions: {path} holds no caption. {ANY_FORM}")
    if rejects and all(isinstance(item, Reject | Named) for item in items):
        first = rejects[0]
        remedy = CONVERT.format(path) if first.reason == "not_utf8" else ANY_FORM
        raise UserError(
            f"--captions: no caption at the head of {path} ({first.where}, "
            f"{first.reason}: {first.detail}). {remedy}"
        )


def find_lists(directory: str, names: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Returns the path of each split's list in a directory.

    Args:
        directory: of `--splits`.
        names: split -> names its list may have.

    Raises:
        UserError: a list is missing, exists twice or names no photo.
    """
    return {split: find_list(directory, split, names[split]) for split in names}


def find_list(directory: str, split: str, names: Sequence[str]) -> str:
    paths = [FileSystems.join(directory, name) for name in names]
    existing = [path for path in paths if FileSystems.exists(path)]
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
