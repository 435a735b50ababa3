"""Flickr30k: split lists, and a caption file with or without a header.

    results_20130124.token    1000092795.jpg#0<TAB>Two young guys with shaggy hair .
    results.csv               image_name| comment_number| comment
      (Kaggle's, a table)     1000092795.jpg| 0| Two young guys with shaggy hair .

The lists of `--splits` have Flickr8k's names or are `train.txt`, `dev.txt` or
`val.txt`, and `test.txt`; they name photos with a suffix, or without `.jpg`.

Source: Young, Lai, Hodosh and Hockenmaier, "From Image Descriptions to Visual
Denotations", TACL 2014.
"""

from typing import ClassVar

from beam_jobs.sources.line_source import LineSource


class Flickr30k(LineSource):
    """`results_20130124.token` or `results.csv`, and the directory of three lists."""

    name = "flickr30k"
    needs = (
        "one --captions FILE (results_20130124.token or results.csv) and --splits DIR "
        "(Flickr8k's lists, or train.txt, dev.txt or val.txt, and test.txt), or "
        "--split_fractions"
    )
    suffix = ".jpg"
    list_names: ClassVar = {
        split: (
            f"Flickr_8k.{split}Images.txt",
            f"Flickr_30k.{split}Images.txt",
            *(f"{name}.txt" for name in names),
        )
        for split, names in (
            ("train", ["train"]),
            ("dev", ["dev", "val", "valid", "validation"]),
            ("test", ["test"]),
        )
    }
