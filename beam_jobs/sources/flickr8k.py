"""Flickr8k: split lists, and a caption file with or without a header.

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
from typing import ClassVar

from beam_jobs.elements import Caption
from beam_jobs.sources.item_error import ItemError
from beam_jobs.sources.line_source import LineSource
from beam_jobs.sources.lines import decode_line
from records.format.rejects import Reject
from records.storage.photo_ids import photo_id

SPLIT_FILES = {
    "train": "Flickr_8k.trainImages.txt",
    "dev": "Flickr_8k.devImages.txt",
    "test": "Flickr_8k.testImages.txt",
}


class Flickr8k(LineSource):
    """`Flickr8k.token.txt` and the directory of its three lists."""

    name = "flickr8k"
    needs = (
        "one --captions FILE (Flickr8k.token.txt, or Kaggle's captions.txt) and "
        "--splits DIR, or --split_fractions"
    )
    header = re.compile(rb"\s*image\s*,\s*caption\s*", re.IGNORECASE)
    list_names: ClassVar = {split: [name] for split, name in SPLIT_FILES.items()}

    @staticmethod
    def parse_csv_line(line: bytes, where: str) -> Caption | Reject:
        """Reads one line of Kaggle's file; a caption with a comma is quoted.

        A record lists captions in the order of their lines.

        >>> Flickr8k.parse_csv_line(b'1.jpg,"A dog , it runs ."', "captions.txt:2").text
        'A dog , it runs .'
        """
        try:
            fields = next(csv.reader([decode_line(line)], strict=True), [])
        except ItemError as bad:
            return bad.reject("caption", where, 1)
        except csv.Error as error:
            detail = f"{error}: {line[:80]!r}"
            return Reject("caption", where, "malformed_line", detail, 1)
        if len(fields) != 2 or not all(map(str.strip, fields)):
            detail = f"expected photo.jpg,caption; received {line[:80]!r}"
            return Reject("caption", where, "malformed_line", detail, 1)
        number = int(where.rpartition(":")[2])
        return Caption(photo_id(fields[0]), number, where, fields[1].strip())
