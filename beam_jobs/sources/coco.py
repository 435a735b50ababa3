"""COCO captions, 2014 or 2017: a JSON file for each split.

    captions_train2017.json
        {"images": [{"id": 391895, "file_name": "000000391895.jpg"}],
         "annotations": [{"id": 770337, "image_id": 391895,
                          "caption": "A man with a red helmet ."}]}

The split comes with the file: `--captions train=captions_train2017.json --captions
dev=captions_val2017.json`, and `test=` where there is one. A photo's id is the last
part of its `file_name`. Where that names a folder the photo must lie there; else it is
found by its name in any folder of the photo directory, `train2017/` and `val2017/` say.
Captions stand in a record by annotation id.

Source: Chen et al., "Microsoft COCO Captions: Data Collection and Evaluation Server",
2015.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from beam_jobs.elements import AtPath, Caption, InSplit, Reject
from beam_jobs.sources import SPLIT_NAMES
from beam_jobs.sources.json_files import (
    JsonSource,
    check_starts_an_object,
    entries,
    load_object,
)
from beam_jobs.sources.json_items import (
    Item,
    ItemError,
    field,
    file_name,
    path_text,
    shown,
    text,
)


def read_coco(option: str) -> Iterator[Item]:
    """Reads the file of `split=path`, as a whole.

    One the size of `captions_train2017.json` (97 MB, 118,287 photos) takes 0.4 GiB of
    the worker's memory.
    """
    split, path = parse_option(option)
    content = load_object(path)
    photos: dict[int, str] = {}
    for where, image in entries(content, path, "images"):
        yield from image_items(where, image, split, photos)
    for where, annotation in entries(content, path, "annotations"):
        yield read_annotation(where, annotation, photos)


class Coco(JsonSource):
    """Files of `captions_*.json`, each after the split it is for."""

    name = "coco"
    needs = (
        "--captions SPLIT=FILE once or more, train among them "
        "(train=captions_train2017.json, dev=captions_val2017.json)"
    )
    several = True
    reader = staticmethod(read_coco)

    @classmethod
    def check_options(cls, captions: Sequence[str], splits: str | None) -> None:
        super().check_options(captions, splits)
        given = {option: parse_option(option) for option in captions}
        for option, (split, path) in given.items():
            if split not in SPLIT_NAMES.values() or not path:
                raise cls.usage_error(f"received {option!r}")
        if "train" not in {split for split, _ in given.values()}:
            raise cls.usage_error("received no file for train")

    @classmethod
    def open(cls, captions: Sequence[str], splits: None) -> "Coco":
        for option in captions:
            _, path = parse_option(option)
            check_starts_an_object(path)
        return cls.named(captions, splits)

    @classmethod
    def named(cls, captions: Sequence[str], splits: None) -> "Coco":
        return cls(tuple("=".join(parse_option(option)) for option in captions))


def parse_option(option: str) -> tuple[str, str]:
    """`val=a.json` to `("dev", "a.json")`."""
    name, _, path = option.partition("=")
    return SPLIT_NAMES.get(name, name), path


def image_items(
    where: str, image: Any, split: str, photos: dict[int, str]
) -> Iterator[Item]:
    """All that one entry of `images` says; adds its id to `photos`."""
    try:
        path = path_text(field(image, "file_name"), "file_name")
        number = integer(field(image, "id"), "id")
        if number in photos:
            raise ItemError(
                "duplicate_id", f"{number} is the id of {photos[number]} too"
            )
    except ItemError as bad:
        yield bad.reject("photo", where, 0)
        return
    photos[number] = photo_id = file_name(path)
    yield InSplit(photo_id, split)
    if path != photo_id:
        yield AtPath(photo_id, path)


def read_annotation(
    where: str, annotation: Any, photos: dict[int, str]
) -> Caption | Reject:
    """One entry of `annotations`."""
    try:
        image = integer(field(annotation, "image_id"), "image_id")
        if image not in photos:
            raise ItemError("unknown_image", f"no entry of 'images' has the id {image}")
        number = integer(field(annotation, "id"), "id")
        caption = text(field(annotation, "caption"), "caption")
    except ItemError as bad:
        return bad.reject("caption", where, 1)
    return Caption(photos[image], number, where, caption)


def integer(value: Any, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ItemError(
            "not_an_integer",
            f"expected {key!r} to be an integer; received {shown(value)}",
        )
    return value
