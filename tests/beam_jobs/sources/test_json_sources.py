"""COCO, Karpathy's splits and JSON lines: what is wrong with a file or an entry."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from small_data import SmallData, build, photo_bytes

from beam_jobs.elements import Caption, Named, SplitAssignment
from beam_jobs.sources import json_source, lines
from beam_jobs.sources.coco import Coco
from beam_jobs.sources.json_source import load_object
from beam_jobs.sources.jsonl import Jsonl
from beam_jobs.sources.options import SOURCES
from records.errors import UserError
from records.format.manifest import load_manifest
from records.format.rejects import Reject

NAMES = {
    Caption: "captions",
    Reject: "rejected",
    SplitAssignment: "splits",
    Named: "named",
}


def as_bytes(source: str, content) -> bytes:
    if source == "jsonl":
        lines = (x if isinstance(x, bytes) else json.dumps(x).encode() for x in content)
        return b"".join(line + b"\n" for line in lines)
    return json.dumps(content).encode()


def given(source: str, path: Path) -> str:
    return f"train={path}" if source == "coco" else str(path)


def read(source: str, path: Path) -> dict[str, list]:
    """What a reader yields, by kind."""
    found = {"captions": [], "rejected": [], "splits": []}
    for item in SOURCES[source].read(given(source, path)):
        found.setdefault(NAMES[type(item)], []).append(item)
    return found


def read_content(source: str, path: Path, content) -> dict[str, list]:
    path.write_bytes(as_bytes(source, content))
    return read(source, path)


# Each with one good caption "A dog ." of a.jpg, and all that can be wrong beside it.
WORST = {
    "coco": {
        "images": [
            {"id": 1, "file_name": "a.jpg"},
            {"id": 2},
            {"file_name": "b.jpg"},
            {"id": 1, "file_name": "c.jpg"},
            {"id": 4.5, "file_name": "d.jpg"},
            {"id": 5, "file_name": 5},
            {"id": 6, "file_name": "train2017/"},
            "e.jpg",
        ],
        "annotations": [
            {"id": 1, "image_id": 1, "caption": "A dog ."},
            {"id": 2, "image_id": 2, "caption": "Of no image ."},
            {"id": 3, "image_id": 1},
            {"id": 4, "image_id": 1, "caption": ["A dog ."]},
            {"id": 5, "caption": "Of nothing ."},
            {"id": 7, "image_id": 1, "caption": "\ud83d half a pair"},
            {"id": True, "image_id": 1, "caption": "A dog ."},
            None,
        ],
    },
    "karpathy": {
        "images": [
            {"filename": "a.jpg", "split": "train", "sentences": [{"raw": "A dog ."}]},
            {"split": "train", "sentences": [{"raw": "A"}, {"raw": "B"}]},
            {"filename": "b.jpg", "split": "train"},
            {"filename": "c.jpg", "split": "train", "sentences": "A dog ."},
            {
                "filename": "d.jpg",
                "split": "train",
                "sentences": [{"tokens": ["a"]}, {"raw": 5}, "A dog ."],
            },
            {"filename": 5, "sentences": []},
            {"filename": "e.jpg", "filepath": 5, "sentences": [{"raw": "A"}]},
            [],
        ]
    },
    "jsonl": [
        {"photo": "a.jpg", "captions": ["A dog ."], "split": "train"},
        {"captions": ["A", "B"], "split": "train"},
        {"photo": "b.jpg", "split": "train"},
        {"photo": "c.jpg", "captions": {"en": "A dog ."}, "split": "train"},
        {"photo": "d.jpg", "captions": [5, None], "split": "train"},
        {"photo": None, "captions": []},
        b'{"photo": "e.jpg"',
        b'{"photo": "caf\xe9.jpg", "captions": ["A dog ."]}',
        b"[]",
    ],
}
REJECTS = {
    "coco": [
        ("photo", "images[1]", "missing_field", 0),
        ("photo", "images[2]", "missing_field", 0),
        ("photo", "images[3]", "duplicate_id", 0),
        ("photo", "images[4]", "not_an_id", 0),
        ("photo", "images[5]", "not_a_string", 0),
        ("photo", "images[6]", "no_file_name", 0),
        ("photo", "images[7]", "not_an_object", 0),
        ("caption", "annotations[1]", "unknown_image", 1),
        ("caption", "annotations[2]", "missing_field", 1),
        ("caption", "annotations[3]", "not_a_string", 1),
        ("caption", "annotations[4]", "missing_field", 1),
        ("caption", "annotations[5]", "not_utf8", 1),
        ("caption", "annotations[6]", "not_an_id", 1),
        ("caption", "annotations[7]", "not_an_object", 1),
    ],
    "karpathy": [
        ("photo", "images[1]", "missing_field", 2),
        ("caption", "images[2]", "missing_field", 1),
        ("caption", "images[3].sentences[0]", "not_an_object", 1),
        ("caption", "images[4].sentences[0]", "missing_field", 1),
        ("caption", "images[4].sentences[1]", "not_a_string", 1),
        ("caption", "images[4].sentences[2]", "not_an_object", 1),
        ("photo", "images[5]", "not_a_string", 0),
        ("photo", "images[6]", "not_a_string", 1),
        ("photo", "images[7]", "not_an_object", 0),
    ],
    "jsonl": [
        ("photo", "2", "missing_field", 2),
        ("caption", "3", "missing_field", 1),
        ("caption", "4", "not_an_array", 1),
        ("caption", "5.captions[0]", "not_a_string", 1),
        ("caption", "5.captions[1]", "not_a_string", 1),
        ("photo", "6", "not_a_string", 0),
        ("photo", "7", "malformed_line", 0),
        ("photo", "8", "not_utf8", 0),
        ("photo", "9", "not_an_object", 0),
    ],
}


@pytest.mark.parametrize("source", WORST)
def test_every_bad_entry_is_named_with_its_place_and_reason(source, tmp_path):
    path = tmp_path / "file"
    found = read_content(source, path, WORST[source])
    rejects = [(r.what, r.where, r.reason, r.captions) for r in found["rejected"]]
    assert rejects == [
        (what, f"{path}:{where}", reason, captions)
        for what, where, reason, captions in REJECTS[source]
    ]
    assert [caption.text for caption in found["captions"]] == ["A dog ."]
    assert all(r.detail.isascii() for r in found["rejected"])


@pytest.mark.parametrize("source", WORST)
def test_in_is_written_and_rejected(source, tmp_path):
    data = SmallData(tmp_path / "data", ["a.jpg"])
    path = tmp_path / "file"
    path.write_bytes(as_bytes(source, WORST[source]))
    opened = SOURCES[source].open([given(source, path)], None)
    build(replace(data.job(tmp_path / "out"), source=opened))
    numbers = load_manifest(str(tmp_path / "out")).statistics
    assert (numbers.photos_written, numbers.captions_written) == (1, 1)
    assert numbers.captions_in == 1 + sum(captions for *_, captions in REJECTS[source])
    named = [what for what, *_ in REJECTS[source] if what == "photo"]
    without_captions = {"coco": 0, "karpathy": 3, "jsonl": 3}[source]
    assert numbers.photos_in == 1 + len(named) + without_captions
    assert numbers.photos_rejected == numbers.photos_in - 1


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


def test_what_karpathy_says(tmp_path):
    content = {
        "images": [
            {
                "filename": "b.jpg",
                "filepath": "val2014",
                "split": "restval",
                "sentences": [{"raw": "A dog . "}],
            },
            {"filename": "a.jpg", "split": "val", "sentences": []},
        ]
    }
    path = tmp_path / "file"
    assert read_content("karpathy", path, content) == {
        "captions": [
            Caption("val2014/b.jpg", 0, f"{path}:images[0].sentences[0]", "A dog .")
        ],
        "rejected": [],
        "splits": [("val2014/b.jpg", "train"), ("a.jpg", "dev")],
    }


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


def test_half_a_surrogate_pair_anywhere(tmp_path):
    content = [
        {"photo": "\udc00.jpg", "captions": ["A"], "split": "train"},
        {"photo": "a.jpg", "captions": ["\udc00"], "split": "\udc00"},
    ]
    found = read_content("jsonl", tmp_path / "file", content)
    assert [reject.reason for reject in found["rejected"]] == ["not_utf8"] * 2
    assert found["splits"] == [("a.jpg", "\\udc00")]


@pytest.mark.parametrize("source", ["coco", "karpathy"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"images": [\n{"id": }]}', r"file:2:8 is not JSON: Expecting value"),
        (b'{"images": [] "a"}', r"file:1:15 is not JSON: Expecting ','"),
        (b'{"images": "caf\xe9"}', r"file is not UTF-8 at byte 15"),
        (b'{"images": ' + b"[" * 100_000, r"file cannot be read as JSON"),
        (b'{"images": ' + b"9" * 10_000 + b"}", r"file cannot be read as JSON"),
        (b'[{"images": []}]', r"expected a JSON object at the top; received a list"),
        (b"{}", r"expected an array 'images' .* an object with nothing"),
        (b'{"info": 1, "a": 2}', r"expected an array 'images' .* with a, info"),
        (b'{"images": {}}', r"expected an array 'images' .* received dict"),
        (b'{"images": []}', r"expected an array 'images' .* received an empty array"),
    ],
)
def test_a_file_that_is_refused_as_a_whole(source, content, message, tmp_path):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UserError, match=message) as error:
        read(source, tmp_path / "file")
    assert "\n" not in str(error.value)


def test_coco_without_annotations(tmp_path):
    content = {"images": [{"id": 1, "file_name": "a.jpg"}]}
    with pytest.raises(UserError, match="expected an array 'annotations'"):
        read_content("coco", tmp_path / "file", content)


def test_a_file_that_cannot_be_opened(tmp_path):
    with pytest.raises(UserError, match=r"cannot read .*nowhere"):
        load_object(str(tmp_path / "nowhere"))


def test_a_byte_order_mark_is_no_part_of_json(tmp_path):
    (tmp_path / "file").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert load_object(str(tmp_path / "file")) == {"a": 1}


def test_the_message_reaches_the_person(tmp_path):
    data = SmallData(tmp_path / "data", ["a.jpg"])
    (tmp_path / "file").write_bytes(b'{"images": 5}')
    opened = SOURCES["karpathy"].open([str(tmp_path / "file")], None)
    with pytest.raises(
        UserError, match=r"file: expected an array 'images'.*received i"
    ):
        build(replace(data.job(tmp_path / "out"), source=opened))


def test_a_photo_in_two_files_of_two_splits(tmp_path):
    data = SmallData(tmp_path / "data", ["a.jpg", "b.jpg"])
    inputs = []
    for split, names in {"train": "ab", "dev": "a"}.items():
        content = {
            "images": [{"id": i, "file_name": f"{n}.jpg"} for i, n in enumerate(names)],
            "annotations": [
                {"id": i, "image_id": i, "caption": "A dog ."}
                for i in range(len(names))
            ],
        }
        (tmp_path / split).write_bytes(as_bytes("coco", content))
        inputs.append(f"{split}={tmp_path / split}")
    build(
        replace(data.job(tmp_path / "out"), source=SOURCES["coco"].open(inputs, None))
    )
    line = json.loads((tmp_path / "out" / "rejects.jsonl").read_text())
    assert Reject(**line) == Reject(
        "photo", "a.jpg", "in_two_splits", "listed in dev and train", 2
    )


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
