"""Flickr30k: a caption file in one of two forms, which its header tells, and lists.

    results_20130124.token    1000092795.jpg#0<TAB>Two young guys with shaggy hair .
    results.csv               image_name| comment_number| comment
                              1000092795.jpg| 0| Two young guys with shaggy hair .

The lists of `--splits` have Flickr8k's names or are `train.txt`, `dev.txt` or
`val.txt`, and `test.txt`; they name photos with a suffix, or without `.jpg`.

Source: Young, Lai, Hodosh and Hockenmaier, "From Image Descriptions to Visual
Denotations", TACL 2014.
"""

import re
from collections.abc import Iterator, Sequence

from beam_jobs.elements import Caption
from beam_jobs.sources import flickr8k
from beam_jobs.sources.line_source import (
    LineSource,
    check_captions_file,
    find_lists,
    parse_line,
    read_lines,
)
from records.format.rejects import Reject

SPLIT_FILES = {
    "train": ("Flickr_8k.trainImages.txt", "Flickr_30k.trainImages.txt", "train.txt"),
    "dev": (
        "Flickr_8k.devImages.txt",
        "Flickr_30k.devImages.txt",
        "dev.txt",
        "val.txt",
    ),
    "test": ("Flickr_8k.testImages.txt", "Flickr_30k.testImages.txt", "test.txt"),
}
HEADER = re.compile(rb"image_name\s*\|\s*comment_number\s*\|.*")
CSV_LINE = re.compile(
    r"(?P<photo>[^|]*[^|\s]\s*)\|\s*(?P<number>\d+)\s*\|(?P<text>.*\S.*)"
)


def read_captions(path: str) -> Iterator[Caption | Reject]:
    """Reads a caption file of either form, so that a reject can name its line."""
    return parse_captions(path, read_lines(path))


class Flickr30k(LineSource):
    """`results_20130124.token` or `results.csv`, and the directory of three lists."""

    name = "flickr30k"
    needs = (
        "one --captions FILE (results_20130124.token or results.csv) and --splits DIR "
        "(Flickr8k's lists, or train.txt, dev.txt or val.txt, and test.txt), or "
        "--split_fractions"
    )
    reader = staticmethod(read_captions)
    suffix = ".jpg"
    lists = SPLIT_FILES

    @classmethod
    def open(cls, captions: Sequence[str], splits: str | None) -> "Flickr30k":
        (path,) = captions
        check_captions_file(path, parse_captions)
        return cls(path, find_lists(splits, SPLIT_FILES) if splits else {})


def parse_captions(
    path: str, lines: Iterator[tuple[int, bytes]]
) -> Iterator[Caption | Reject]:
    """Reads numbered lines of either form; the CSV's header is no caption."""
    parse = flickr8k.parse_caption
    for index, (number, line) in enumerate(lines):
        if index == 0 and HEADER.fullmatch(line):
            parse = parse_csv_caption
        else:
            yield parse(line, f"{path}:{number}")


def parse_csv_caption(line: bytes, where: str) -> Caption | Reject:
    """Reads one line of the CSV; a `|` may stand in the caption itself.

    >>> parse_csv_caption(b"1.jpg| 0| A dog runs .", "results.csv:2").text
    'A dog runs .'
    """
    return parse_line(line, where, CSV_LINE, "photo.jpg| number| caption")
