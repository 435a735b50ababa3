"""COCO, Karpathy's splits and JSON lines: what is wrong with a file or an entry."""

import json
from dataclasses import replace

import pytest
from json_captions import as_bytes, given, read, read_content
from small_data import SmallData, build

from beam_jobs.elements import Caption
from beam_jobs.sources.json_source import load_object
from beam_jobs.sources.registry import SOURCES
from records.errors import UserError
from records.format.manifest import load_manifest
from records.format.rejects import Reject

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
