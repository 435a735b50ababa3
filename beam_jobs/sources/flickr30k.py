"""Flickr30k: split lists, and a caption file with or without a header.

    results_20130124.token    1000092795.jpg#0<TAB>Two young guys with shaggy hair .
    results.csv               image_name| comment_number| comment
                              1000092795.jpg| 0| Two young guys with shaggy hair .

The lists of `--splits` have Flickr8k's names or are `train.txt`, `dev.txt` or
`val.txt`, and `test.txt`; they name photos with a suffix, or without `.jpg`.

Source: Young, Lai, Hodosh and Hockenmaier, "From Image Descriptions to Visual
Denotations", TACL 2014.
"""

import re
from typing import ClassVar

from beam_jobs.elements import Caption
from beam_jobs.sources.line_source import LineSource, parse_line
from beam_jobs.sources.lines import NUMBER
from records.format.rejects import Reject

CSV_LINE = re.compile(
    rf"(?P<photo>[^|]*[^|\s]\s*)\|\s*(?P<number>{NUMBER})\s*\|(?P<text>.*\S.*)"
)


class Flickr30k(LineSource):
    """`results_20130124.token` or `results.csv`, and the directory of three lists."""

    name = "flickr30k"
    needs = (
        "one --captions FILE (results_20130124.token or results.csv) and --splits DIR "
        "(Flickr8k's lists, or train.txt, dev.txt or val.txt, and test.txt), or "
        "--split_fractions"
    )
    header = re.compile(rb"image_name\s*\|\s*comment_number\s*\|.*")
    suffix = ".jpg"
    list_names: ClassVar = {
        split: (
            f"Flickr_8k.{split}Images.txt",
            f"Flickr_30k.{split}Images.txt",
            *(f"{name}.txt" for name in names),
        )
        for split, names in (
            ("train", ["train"]),
            ("dev", ["dev", "val"]),
            ("test", ["test"]),
        )
    }

    @staticmethod
    def parse_csv_line(line: bytes, where: str) -> Caption | Reject:
        """Reads one line of the CSV; the caption may contain a `|`.

        >>> Flickr30k.parse_csv_line(b"1.jpg| 0| A dog runs .", "results.csv:2").text
        'A dog runs .'
        """
        return parse_line(line, where, CSV_LINE, "photo.jpg| number| caption")
