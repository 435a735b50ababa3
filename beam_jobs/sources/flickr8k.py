"""Flickr8k: split lists, and a caption file with or without a header.

    Flickr8k.token.txt            1000268201_693b08cb0e.jpg#0<TAB>A child in a dress .
    captions.txt                  image,caption
      (Kaggle's, a table)         1000268201_693b08cb0e.jpg,"A child , in a dress ."
    Flickr_8k.trainImages.txt     2513260012_03d33305cf.jpg
    Flickr_8k.devImages.txt
    Flickr_8k.testImages.txt

Source: Hodosh, Young and Hockenmaier, "Framing Image Description as a Ranking Task",
JAIR 2013.
"""

from typing import ClassVar

from beam_jobs.sources.line_source import LineSource

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
    list_names: ClassVar = {split: [name] for split, name in SPLIT_FILES.items()}
