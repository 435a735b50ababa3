"""COCO's annotations: ids, and photos without captions."""

import json
from dataclasses import replace

import pytest
from json_captions import as_bytes, read_content
from small_data import SmallData, build, photo_bytes

from beam_jobs.elements import Caption
from beam_jobs.sources.coco import Coco
from beam_jobs.sources.registry import SOURCES
from records.errors import UserError
from records.format.manifest import load_manifest


def test_what_coco_says(tmp_path):
    content = {
        "images": [
            {"id": 8, "file_name": "val/b.jpg"},
            {"id": 9, "file_name": "a.jpg"},
        ],
        "annotations": [{"id": 70, "image_id": 8, "caption": " A dog .\n"}],
    }
    path = tmp_path / "file"
    assert read_content("coco", path, content) == {
        "captions": [Caption("val/b.jpg", 70, f"{path}:annotations[0]", "A dog .")],
        "rejected": [],
        "splits": [("val/b.jpg", "train"), ("a.jpg", "train")],
    }


def test_coco_ids_may_be_strings_and_annotations_may_have_none(tmp_path):
    content = {
        "images": [{"id": "x1", "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
        "annotations": [
            {"image_id": "x1", "caption": "A dog ."},
            {"image_id": "2", "caption": "A cat .", "id": "70"},
            {"image_id": 2, "caption": "A cow .", "id": "seven"},
        ],
    }
    found = read_content("coco", tmp_path / "file", content)
    assert [(c.photo_id, c.number) for c in found["captions"]] == [
        ("a.jpg", 0),
        ("b.jpg", 70),
        ("b.jpg", 2),
    ]
    assert found["rejected"] == []


def test_coco_ids_may_be_whole_numbers_of_any_kind(tmp_path):
    images = [{"id": 1.0, "file_name": "1.jpg"}, {"id": 1.5, "file_name": "2.jpg"}]
    annotation = {"id": 7.0, "image_id": "1", "caption": "A dog"}
    content = {"images": images, "annotations": [annotation]}
    (tmp_path / "a").write_text(json.dumps(content))
    named, reject, caption = Coco.read(str(tmp_path / "a"))
    assert (named.photo_id, caption.number) == ("1.jpg", 7)
    assert reject[:3] == ("photo", f"{tmp_path}/a:images[1]", "not_an_id")


def test_ids_of_too_many_digits_give_no_order(tmp_path):
    content = {
        "images": [{"id": "9" * 5000, "file_name": "1.jpg"}],
        "annotations": [
            {"id": "9" * 5000, "image_id": "9" * 5000, "caption": text}
            for text in ("A dog", "A cat")
        ],
    }
    (tmp_path / "a").write_text(json.dumps(content))
    captions = list(Coco.read(str(tmp_path / "a")))[1:]
    assert [(c.number, c.text) for c in captions] == [(0, "A dog"), (1, "A cat")]


def test_coco_without_annotations(tmp_path):
    content = {"images": [{"id": 1, "file_name": "a.jpg"}]}
    with pytest.raises(UserError, match="expected an array 'annotations'"):
        read_content("coco", tmp_path / "file", content)


def test_photos_of_coco_without_captions_are_no_photos_in(tmp_path):
    """`unlabeled2017` lies beside `train2017`."""
    data = SmallData(tmp_path / "data", [])
    inputs = []
    for split, name in {"train": "000001.jpg", "dev": "000002.jpg"}.items():
        content = {
            "images": [{"id": 1, "file_name": name}],
            "annotations": [{"id": 1, "image_id": 1, "caption": "A dog ."}],
        }
        inputs.append(f"{split}={tmp_path / split}")
        (tmp_path / split).write_bytes(as_bytes("coco", content))
        (data.photos / f"{split}2017").mkdir()
        (data.photos / f"{split}2017" / name).write_bytes(photo_bytes(name))
    (data.photos / "unlabeled2017").mkdir()
    for number in range(3, 9):
        (data.photos / "unlabeled2017" / f"{number:06d}.jpg").write_bytes(b"")
    job = data.job(tmp_path / "out", max_reject_fraction=0.0)
    build(replace(job, source=SOURCES["coco"].open(inputs, None)))
    numbers = load_manifest(str(tmp_path / "out")).statistics
    assert (numbers.photos_in, numbers.photos_written) == (2, 2)
    assert (numbers.rejected_photos, numbers.uncaptioned_files) == ({}, 6)
