"""COCO captions, 2014 or 2017: a JSON file for each split.

    captions_train2017.json
        {"images": [{"id": 391895, "file_name": "000000391895.jpg"}],
         "annotations": [{"id": 770337, "image_id": 391895,
                          "caption": "A man with a red helmet ."}]}

The option names the split of a file: `--captions train=captions_train2017.json
--captions dev=captions_val2017.json`, and `test=` if there is one. With
`--split_fractions` it names no split: `--captions captions.json`. A photo's id is its
`file_name`. If that names a folder, the photo must be in it; otherwise the photo is
found by its name in any folder of the photo directory, such as `train2017/`. A record
lists captions by annotation id; without ids, in the order of the file. Ids may be
whole numbers or strings.

Source: Chen et al., "Microsoft COCO Captions: Data Collection and Evaluation Server",
2015.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from beam_jobs.elements import Caption, Item, Named, SplitAssignment
from beam_jobs.sources.base import Source
from beam_jobs.sources.item_error import ItemError
from beam_jobs.sources.json_source import (
    check_starts_an_object,
    entries,
    field,
    load_object,
    parse_option,
    path_text,
    shown,
    text,
)
from beam_jobs.sources.lines import NUMBER
from records.errors import UserError
from records.format.rejects import Reject


class Coco(Source):
    """Files of `captions_*.json`, each with the split of its photos."""

    name = "coco"
    needs = (
        "--captions SPLIT=FILE once or more, train among them "
        "(train=captions_train2017.json, dev=captions_val2017.json), or FILE and "
        "--split_fractions"
    )
    several = True

    @classmethod
    def check_options(
        cls, captions: Sequence[str], splits: str | None, drawn: bool = False
    ) -> None:
        super().check_options(captions, splits, drawn)
        parsed = {option: parse_option(option) for option in captions}
        for option, (split, path) in parsed.items():
            if not path or (split is None) != drawn:
                raise cls.usage_error(f"received {option!r}")
        if not drawn and "train" not in {split for split, _ in parsed.values()}:
            raise cls.usage_error("received no file for train")

    @classmethod
    def named(cls, captions: Sequence[str], splits: str | None = None) -> Source:
        options = map(parse_option, captions)
        return cls(tuple("=".join(filter(None, option)) for option in options))

    @classmethod
    def check_start(cls, option: str) -> None:
        check_starts_an_object(parse_option(option)[1])

    @staticmethod
    def read(option: str) -> Iterator[Item]:
        """Reads the file of `split=path`, as a whole.

        One the size of `captions_train2017.json` (97 MB, 118,287 photos) takes 0.4 GiB
        of the worker's memory.

        Raises:
            UserError: it cannot be read, or holds objects instead of captions.
        """
        split, path = parse_option(option)
        content = load_object(path)
        photos: dict[str, str] = {}
        for where, image in entries(content, path, "images"):
            yield from image_items(where, image, split, photos)
        annotations = list(entries(content, path, "annotations"))
        refuse_instances(annotations, path)
        for index, (where, annotation) in enumerate(annotations):
            yield read_annotation(where, annotation, photos, index)


def refuse_instances(annotations: Sequence[tuple[str, Any]], path: str) -> None:
    """Raises UserError for a file of objects or key points, which has no captions."""
    _, first = annotations[0]
    if isinstance(first, dict) and "category_id" in first and "caption" not in first:
        raise UserError(
            f"--captions: {path} holds objects and their places, no captions; take "
            "captions_*.json of the same archive, e.g. captions_train2017.json"
        )


def image_items(
    where: str, image: Any, split: str | None, photos: dict[str, str]
) -> Iterator[Item]:
    """Yields the items of an entry of `images`; adds its id to `photos`."""
    try:
        path = path_text(field(image, "file_name"), "file_name")
        key = id_text(field(image, "id"), "id")
        if key in photos:
            raise ItemError("duplicate_id", f"{key} is the id of {photos[key]} too")
    except ItemError as bad:
        yield bad.reject("photo", where, 0)
        return
    photos[key] = path
    yield SplitAssignment(path, split) if split else Named(path)


def read_annotation(
    where: str, annotation: Any, photos: dict[str, str], index: int
) -> Caption | Reject:
    """Reads an entry of `annotations`; `index` orders those without a numeric id."""
    try:
        image = id_text(field(annotation, "image_id"), "image_id")
        if image not in photos:
            raise ItemError("unknown_image", f"no entry of 'images' has the id {image}")
        number = annotation_number(annotation, index)
        caption = text(field(annotation, "caption"), "caption")
    except ItemError as bad:
        return bad.reject("caption", where, 1)
    return Caption(photos[image], number, where, caption)


def annotation_number(annotation: dict[str, Any], index: int) -> int:
    key = id_text(annotation.get("id", index), "id")
    return int(key) if key.isascii() and re.fullmatch(NUMBER, key) else index


def id_text(value: Any, key: str) -> str:
    """Returns an id as text: `7`, `7.0` and `"7"` are equal."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ItemError(
            "not_an_id",
            f"expected {key!r} to be a whole number or a string; received "
            f"{shown(value)}",
        )
    return str(value)
