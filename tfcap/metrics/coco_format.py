"""Reads and writes captions and references in COCO's formats."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from records.errors import UserError
from records.storage.files import is_directory, read_file, reason

RESULTS, REFERENCES = "results.json", "references.json"
Captions = dict[str, str]
References = dict[str, tuple[str, ...]]


def coco_results(captions: Mapping[str, str]) -> list[dict[str, Any]]:
    """Returns a COCO results file, which `pycocotools.coco.COCO.loadRes` reads.

    >>> coco_results({"b.jpg": "a cat", "a.jpg": "a dog"})
    [{'image_id': 1, 'caption': 'a dog'}, {'image_id': 2, 'caption': 'a cat'}]
    """
    ids = image_ids(captions)
    return [{"image_id": ids[photo], "caption": captions[photo]} for photo in ids]


def coco_references(references: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Returns a COCO annotation file, which `pycocotools.coco.COCO` reads.

    `file_name` is the photo id. References are as in the source, not normalised.
    """
    ids = image_ids(references)
    pairs = [(ids[photo], text) for photo in ids for text in references[photo]]
    return {
        "info": {"description": "references; image ids number the sorted photo ids"},
        "licenses": [],
        "type": "captions",
        "images": [{"id": ids[photo], "file_name": photo} for photo in ids],
        "annotations": [
            {"id": i, "image_id": image, "caption": text}
            for i, (image, text) in enumerate(pairs, start=1)
        ],
    }


def image_ids(photos: Mapping[str, Any]) -> dict[str, int]:
    return {photo: i for i, photo in enumerate(sorted(photos), start=1)}


def read_results(path: str) -> tuple[Captions, References]:
    """Reads captions and references by photo id from a results file or its folder.

    `references.json` must lie beside the file: it holds the photo ids.

    Raises:
        UserError: A file does not exist or is not in COCO's format, or the references
            lack a photo that has a caption.
    """
    path = os.path.join(path, RESULTS) if is_directory(path) else path
    beside = os.path.join(os.path.dirname(path), REFERENCES)
    results, content = read_json(path), read_json(beside)
    try:
        names = {image["id"]: image["file_name"] for image in content["images"]}
        references: dict[str, list[str]] = {photo: [] for photo in names.values()}
        for annotation in content["annotations"]:
            references[names[annotation["image_id"]]].append(annotation["caption"])
        captions = [(row["image_id"], row["caption"]) for row in results]
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{path} and {beside} are not a results file and its references in COCO's "
            f"form: {type(error).__name__} {error}"
        ) from None
    for image, _ in captions:
        if image not in names:
            raise UserError(
                f"{path} has a caption of image {image}, but {beside} lacks it "
                f"({len(names)} images, {len(captions)} captions)"
            )
    return (
        {names[image]: caption for image, caption in captions},
        {photo: tuple(texts) for photo, texts in references.items()},
    )


def read_json(path: str) -> Any:
    try:
        return json.loads(read_file(path))
    except OSError as error:
        raise UserError(
            f"cannot read {path}: {reason(error)}. `tfcap evaluate` writes "
            f"{RESULTS} and, beside it, {REFERENCES}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON: {error}") from None
