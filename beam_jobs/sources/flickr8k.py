"""Flickr8k: a caption file and split lists.

    Flickr8k.token.txt            1000268201_693b08cb0e.jpg#0<TAB>A child in a dress .
    Flickr_8k.trainImages.txt     2513260012_03d33305cf.jpg
    Flickr_8k.devImages.txt
    Flickr_8k.testImages.txt

Source: Hodosh, Young and Hockenmaier, "Framing Image Description as a Ranking Task",
JAIR 2013.
"""

import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from beam_jobs.elements import Caption, Reject
from beam_jobs.sources.lines import (
    LineSource,
    find_lists,
    parse_line,
    read_lines,
    refuse_if_none_is_read,
    start_of_captions,
)

SPLIT_FILES = {
    "train": "Flickr_8k.trainImages.txt",
    "dev": "Flickr_8k.devImages.txt",
    "test": "Flickr_8k.testImages.txt",
}
CAPTION_LINE = re.compile(r"(?P<photo>[^\t#]+)#(?P<number>\d+)\t(?P<text>.*\S.*)")


def read_captions(path: str) -> Iterator[Caption | Reject]:
    """Reads a caption file from end to end, so that a reject can name its line."""
    for number, line in read_lines(path):
        yield parse_caption(line, f"{path}:{number}")


class Flickr8k(LineSource):
    """`Flickr8k.token.txt` and the directory of its three lists."""

    name = "flickr8k"
    needs = "one --captions FILE (Flickr8k.token.txt) and --splits DIR"
    reader = staticmethod(read_captions)
    lists: ClassVar = {split: [name] for split, name in SPLIT_FILES.items()}

    @classmethod
    def open(cls, captions: Sequence[str], splits: str) -> "Flickr8k":
        (path,) = captions
        check_captions_file(path)
        return cls(path, find_split_files(splits))


def parse_caption(line: bytes, where: str) -> Caption | Reject:
    """Reads one line of the caption file.

    >>> parse_caption(b"1.jpg#0\\tA dog runs .", "captions.txt:1").text
    'A dog runs .'
    """
    return parse_line(line, where, CAPTION_LINE, "photo.jpg#number<TAB>caption")


def check_captions_file(path: str) -> None:
    """Looks at the first lines, so that a wrong file is refused before any work.

    Raises:
        UserError: no such file, an empty one, or another format.
    """
    first = start_of_captions(path)
    parsed = [parse_caption(line, f"{path}:{number}") for number, line in first]
    refuse_if_none_is_read(path, parsed)


def find_split_files(directory: str) -> dict[str, str]:
    """The three split lists of a directory.

    Raises:
        UserError: one is not there or names no photo.
    """
    return find_lists(directory, Flickr8k.lists)
