"""JSON lines, and lists of objects in one document."""

import json

import pytest
from json_captions import as_bytes, read, read_content

from beam_jobs.elements import Caption, SplitAssignment
from beam_jobs.sources import json_source, lines
from beam_jobs.sources.jsonl import Jsonl
from beam_jobs.sources.registry import SOURCES
from records.errors import UserError


def test_what_json_lines_say(tmp_path):
    content = [{"photo": "./x/b.jpg", "captions": ["A", "B"], "split": "val"}]
    path = tmp_path / "file"
    assert read_content("jsonl", path, content) == {
        "captions": [
            Caption("x/b.jpg", 0, f"{path}:1.captions[0]", "A"),
            Caption("x/b.jpg", 1, f"{path}:1.captions[1]", "B"),
        ],
        "rejected": [],
        "splits": [("x/b.jpg", "dev")],
    }


# BLIP's, Hugging Face's image folders, and both as they come.
OTHERS = [
    {"image": "coco/1.jpg", "caption": ["A dog .", "A cat ."]},
    {"image": "coco/1.jpg", "caption": "Two dogs ."},
    {"file_name": "2.png", "text": "A horse ."},
    {"filename": "3.jpg", "text": "A cow .", "split": "Validation"},
]


@pytest.mark.parametrize("form", ["lines", "array"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_other_names_of_the_fields(tmp_path, form, mark):
    path = tmp_path / "file"
    lines = as_bytes("jsonl", OTHERS)
    path.write_bytes(mark + (lines if form == "lines" else json.dumps(OTHERS).encode()))
    found = read("jsonl", path)
    assert [(c.photo_id, c.text) for c in found["captions"]] == [
        ("coco/1.jpg", "A dog ."),
        ("coco/1.jpg", "A cat ."),
        ("coco/1.jpg", "Two dogs ."),
        ("2.png", "A horse ."),
        ("3.jpg", "A cow ."),
    ]
    assert (found["splits"], found["rejected"]) == ([("3.jpg", "dev")], [])
    SOURCES["jsonl"].open([str(path)], None)


def test_a_file_of_one_split(tmp_path):
    (tmp_path / "file").write_bytes(as_bytes("jsonl", OTHERS[:3]))
    found = list(SOURCES["jsonl"].read(f"train={tmp_path / 'file'}"))
    assert {item for item in found if isinstance(item, SplitAssignment)} == {
        ("coco/1.jpg", "train"),
        ("2.png", "train"),
    }


@pytest.mark.parametrize("content", [{"img": "a.jpg", "captions": ["A"]}, {"a": 1}])
def test_fields_of_other_names_are_refused_with_those_that_are_read(tmp_path, content):
    (tmp_path / "file").write_bytes(as_bytes("jsonl", [content]))
    message = "'photo' or 'image' or 'file_name' or 'filename'.*--source jsonl"
    with pytest.raises(UserError, match=message):
        SOURCES["jsonl"].open([str(tmp_path / "file")], None)


def test_a_photo_without_captions_and_split_is_not_lost(tmp_path):
    content = [{"photo": "a.jpg", "captions": []}]
    found = read_content("jsonl", tmp_path / "file", content)
    assert found.pop("named") == [("a.jpg",)]
    assert not any(found.values())


def test_a_line_and_a_document_that_are_too_long(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "LONGEST", 60)
    monkeypatch.setattr(json_source, "LARGEST", 60)
    entries = [json.dumps({"photo": "1.jpg", "text": "a" * n}) for n in (9, 99)]
    (tmp_path / "a").write_text("\n".join(entries))
    caption, reject = Jsonl.read(str(tmp_path / "a"))
    assert caption.text == "a" * 9
    assert reject[:3] == ("photo", f"{tmp_path}/a:2", "line_too_long")
    (tmp_path / "a").write_text(f"[{','.join(entries)}]")
    with pytest.raises(UserError, match=r"cannot read .*: it is larger than 60 bytes"):
        list(Jsonl.read(str(tmp_path / "a")))


def test_a_file_of_objects_is_refused(tmp_path):
    content = {
        "images": [{"id": 1, "file_name": "a.jpg"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [0] * 4}],
    }
    message = "holds objects and their places, no captions; take captions_"
    with pytest.raises(UserError, match=message):
        read_content("coco", tmp_path / "file", content)


@pytest.mark.parametrize(
    ("split", "found"),
    [("tset", [("a.jpg", "tset")]), (3, [("a.jpg", "3")]), (None, [])],
)
def test_a_split_of_an_unknown_name_is_passed_on(split, found, tmp_path):
    content = [{"photo": "a.jpg", "captions": [], "split": split}]
    assert read_content("jsonl", tmp_path / "file", content)["splits"] == found
