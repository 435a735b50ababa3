"""Captions and references in COCO's formats."""

import json

import pytest
from pycocotools.coco import COCO

from records.errors import UserError
from tfcap.metrics.coco_format import coco_references, coco_results, read_results

REFERENCES = {
    "b.jpg": ("Two cats sleep on a red sofa.", "Cats on a sofa."),
    "a.jpg": ("A black dog runs over the green grass.", "A dog runs on a lawn."),
    "c.jpg": ("A man climbs a steep rock.", "Someone is climbing."),
}
CAPTIONS = {photo: texts[0] for photo, texts in REFERENCES.items()}


def write(folder, results, references):
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "references.json").write_text(json.dumps(references))


def test_what_is_written_is_read_back(tmp_path):
    write(tmp_path, coco_results(CAPTIONS), coco_references(REFERENCES))
    for path in (tmp_path, tmp_path / "results.json"):
        assert read_results(str(path)) == (CAPTIONS, REFERENCES)


def test_references_that_lack_a_photo(tmp_path):
    fewer = {photo: REFERENCES[photo] for photo in ("a.jpg", "b.jpg")}
    write(tmp_path, coco_results(CAPTIONS), coco_references(fewer))
    with pytest.raises(
        UserError, match=r"caption of image 3, but .*lacks it \(2 image"
    ):
        read_results(str(tmp_path))


@pytest.mark.parametrize("content", [{}, [], {"images": [{"id": 1}]}])
def test_files_of_another_form(tmp_path, content):
    write(tmp_path, coco_results(CAPTIONS), content)
    with pytest.raises(UserError, match="not a results file and its references"):
        read_results(str(tmp_path))


def test_files_that_are_not_there_or_no_json(tmp_path):
    with pytest.raises(UserError, match=r"cannot read .*results\.json: No such file"):
        read_results(str(tmp_path / "results.json"))
    (tmp_path / "results.json").write_text("no")
    with pytest.raises(UserError, match="is not JSON"):
        read_results(str(tmp_path))


def test_pycocotools_matches_every_photo(tmp_path):
    (tmp_path / "references.json").write_text(json.dumps(coco_references(REFERENCES)))
    (tmp_path / "results.json").write_text(json.dumps(coco_results(CAPTIONS)))
    truth = COCO(str(tmp_path / "references.json"))
    found = truth.loadRes(str(tmp_path / "results.json"))
    photos = {image["file_name"]: image["id"] for image in truth.dataset["images"]}
    assert photos == {"a.jpg": 1, "b.jpg": 2, "c.jpg": 3}
    assert set(found.getImgIds()) == set(photos.values())
    for photo, image in photos.items():
        texts = tuple(ann["caption"] for ann in truth.imgToAnns[image])
        assert texts == REFERENCES[photo]
        assert [ann["caption"] for ann in found.imgToAnns[image]] == [CAPTIONS[photo]]
