"""Flickr8k: a caption file in one of two forms, which its header tells, and lists.

    Flickr8k.token.txt            1000268201_693b08cb0e.jpg#0<TAB>A child in a dress .
    captions.txt                  image,caption
      (Kaggle's)                  1000268201_693b08cb0e.jpg,"A child , in a dress ."
    Flickr_8k.trainImages.txt     2513260012_03d33305cf.jpg
    Flickr_8k.devImages.txt
    Flickr_8k.testImages.txt

Source: Hodosh, Young and Hockenmaier, "Framing Image Description as a Ranking Task",
JAIR 2013.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from beam_jobs.elements import Caption
from beam_jobs.sources.line_source import (
    LineSource,
    check_captions_file,
    find_lists,
    parse_line,
    read_lines,
)
from records.format.rejects import Reject
from records.storage.photo_ids import photo_id

SPLIT_FILES = {
    "train": "Flickr_8k.trainImages.txt",
    "dev": "Flickr_8k.devImages.txt",
    "test": "Flickr_8k.testImages.txt",
}
CAPTION_LINE = re.compile(r"(?P<photo>[^\t#]+)#(?P<number>\d+)\t(?P<text>.*\S.*)")


HEADER = re.compile(rb"\s*image\s*,\s*caption\s*", re.IGNORECASE)


def read_captions(path: str) -> Iterator[Caption | Reject]:
    """Reads a caption file from end to end, so that a reject can name its line."""
    return parse_captions(path, read_lines(path))


class Flickr8k(LineSource):
    """`Flickr8k.token.txt` and the directory of its three lists."""

    name = "flickr8k"
    needs = (
        "one --captions FILE (Flickr8k.token.txt, or Kaggle's captions.txt) and "
        "--splits DIR, or --split_fractions"
    )
    reader = staticmethod(read_captions)
    lists: ClassVar = {split: [name] for split, name in SPLIT_FILES.items()}

    @classmethod
    def open(cls, captions: Sequence[str], splits: str | None) -> "Flickr8k":
        (path,) = captions
        check_captions_file(path, parse_captions)
        return cls(path, find_split_files(splits) if splits else {})


def parse_captions(
    path: str, lines: Iterator[tuple[int, bytes]]
) -> Iterator[Caption | Reject]:
    """Reads numbered lines of either form; Kaggle's header is no caption."""
    parse = parse_caption
    for index, (number, line) in enumerate(lines):
        if index == 0 and HEADER.fullmatch(line):
            parse = parse_csv_caption
        else:
            yield parse(line, f"{path}:{number}")


def parse_caption(line: bytes, where: str) -> Caption | Reject:
    r"""Reads one line of the caption file.

    >>> parse_caption(b"1.jpg#0\tA dog runs .", "captions.txt:1").text
    'A dog runs .'
    """
    return parse_line(line, where, CAPTION_LINE, "photo.jpg#number<TAB>caption")


def parse_csv_caption(line: bytes, where: str) -> Caption | Reject:
    """Reads one line of Kaggle's file; a caption with a comma stands in quotes.

    Captions stand in a record in the order of their lines.

    >>> parse_csv_caption(b'1.jpg,"A dog , it runs ."', "captions.txt:2").text
    'A dog , it runs .'
    """
    try:
        fields = next(csv.reader([line.decode()], strict=True), [])
    except UnicodeDecodeError as error:
        return Reject("caption", where, "not_utf8", str(error), 1)
    except csv.Error as error:
        return Reject("caption", where, "malformed_line", f"{error}: {line[:80]!r}", 1)
    if len(fields) != 2 or not all(map(str.strip, fields)):
        detail = f"expected photo.jpg,caption; received {line[:80]!r}"
        return Reject("caption", where, "malformed_line", detail, 1)
    number = int(where.rpartition(":")[2])
    return Caption(photo_id(fields[0]), number, where, fields[1].strip())


def find_split_files(directory: str) -> dict[str, str]:
    """Returns the paths of the three split lists of a directory.

    Raises:
        UserError: a list is missing or names no photo.
    """
    return find_lists(directory, Flickr8k.lists)
