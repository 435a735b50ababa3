"""Karpathy's splits of Flickr8k, Flickr30k or COCO: captions and splits in one file.

    dataset_coco.json   {"images": [{"filename": "COCO_val2014_000000391895.jpg",
                                     "filepath": "val2014", "split": "test",
                                     "sentences": [{"raw": "A man with a ..."}]}]}

A photo's id is its `filename`, after the folder `filepath` if there is one. So the id
is its path in the photo directory. `restval` is `train`, `val` is `dev`.

Source: Karpathy and Fei-Fei, "Deep Visual-Semantic Alignments for Generating Image
Descriptions", CVPR 2015.
"""

from collections.abc import Iterator
from typing import Any

from beam_jobs.elements import Item
from beam_jobs.sources.base import Source
from beam_jobs.sources.json_source import (
    check_starts_an_object,
    entries,
    field,
    load_object,
    path_text,
    photo_items,
    text,
)
from records.storage.photo_ids import photo_id


class Karpathy(Source):
    """One `dataset_*.json`."""

    name = "karpathy"
    needs = "one --captions FILE (dataset_flickr8k.json, dataset_coco.json ...)"

    @classmethod
    def check_start(cls, option: str) -> None:
        check_starts_an_object(option)

    @staticmethod
    def read(option: str) -> Iterator[Item]:
        """Reads the file as a whole.

        One the size of `dataset_coco.json` (147 MB, 123,287 photos) takes 0.9 GiB of
        the worker's memory.
        """
        for where, image in entries(load_object(option), option, "images"):
            yield from image_items(where, image)


def image_items(where: str, image: Any) -> Iterator[Item]:
    """Yields the items of an entry of `images`."""
    return photo_items(where, image, photo_path, ["sentences"], raw_text)


def photo_path(image: Any) -> str:
    name = path_text(field(image, "filename"), "filename")
    folder = text(image.get("filepath") or "", "filepath").strip("/")
    return photo_id(f"{folder}/{name}") if folder else name


def raw_text(sentence: Any) -> str:
    return text(field(sentence, "raw"), "raw")
