"""Image folders: where metadata lies, its forms, and what is wrong with it."""

import argparse
import json

import pytest

from beam_jobs.elements import Caption, Named, SplitAssignment
from beam_jobs.sources import options
from records.errors import UserError
from records.format.rejects import Reject


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "photos [1]").mkdir()
    return tmp_path / "photos [1]"


def write(path, *lines) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("".join(f"{text}\n" for text in texts))
    return str(path)


def parse(*flags) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos")
    options.add_options(parser)
    args = parser.parse_args(["--source=imagefolder", *flags])
    options.check_options(parser, args)
    return args


def items(folder, *flags) -> list:
    source = options.open_source(parse(f"--photos={folder}", *flags))
    return [item for part in source.to_read() for item in source.items(part)]


def of_kind(kind, found) -> list:
    return [item for item in found if isinstance(item, kind)]


def captions(found) -> list[tuple[str, str]]:
    return [(caption.photo_id, caption.text) for caption in of_kind(Caption, found)]


def test_metadata_in_folders_of_splits(folder):
    write(folder / "train" / "metadata.csv", "file_name,text", "a.jpg,A .")
    write(folder / "test" / "metadata.jsonl", {"file_name": "in/b.jpg", "text": "B ."})
    found = items(folder)
    assert captions(found) == [("test/in/b.jpg", "B ."), ("train/a.jpg", "A .")]
    assert of_kind(SplitAssignment, found) == [
        SplitAssignment("test/in/b.jpg", "test"),
        SplitAssignment("train/a.jpg", "train"),
    ]


@pytest.mark.parametrize("place", [".", "a", "a/b"])
def test_metadata_is_found_two_levels_down(folder, place):
    line = {"file_name": "a.jpg", "text": "A .", "split": "val"}
    write(folder / place / "metadata.jsonl", line)
    photo = "a.jpg" if place == "." else f"{place}/a.jpg"
    found = items(f"{folder}/")
    assert captions(found) == [(photo, "A .")]
    assert of_kind(SplitAssignment, found) == [SplitAssignment(photo, "dev")]


@pytest.mark.parametrize(
    ("flags", "splits"),
    [
        ([], ["test"]),
        (["--field=split=part"], ["train"]),
        (["--split_fractions=1,0,0"], []),
    ],
)
def test_splits(folder, flags, splits):
    line = {"file_name": "dev/a.jpg", "text": "A .", "split": "test", "part": "train"}
    write(folder / "metadata.jsonl", line)
    found = of_kind(SplitAssignment, items(folder, *flags))
    assert [split for _, split in found] == splits


def test_captions_of_several_columns_and_lists(folder):
    line = {"file_name": "train/a.jpg", "x": "A .", "y": ["B .", "C ."]}
    write(folder / "metadata.jsonl", line)
    found = items(folder, "--field=caption=y", "--field=caption=x")
    assert [text for _, text in captions(found)] == ["B .", "C .", "A ."]


def test_a_quoted_field_may_have_several_lines(folder):
    lines = ['train/a.jpg,"A dog ,', 'it runs ."', "train/b.jpg,B .", ""]
    path = write(folder / "metadata.csv", "\ufefffile_name,caption", *lines)
    found = items(folder)
    assert captions(found) == [
        ("train/a.jpg", "A dog ,\nit runs ."),
        ("train/b.jpg", "B ."),
    ]
    assert of_kind(Caption, found)[1].where == f"{path}:4[0]"


GOOD_CSV = ["file_name,text,n", "train/a.jpg,A .,1"]
GOOD_JSON = [{"file_name": "train/a.jpg", "text": "A ."}]


@pytest.mark.parametrize(
    ("name", "lines", "reason"),
    [
        ("csv", [*GOOD_CSV, "train/b.jpg,B ."], "malformed_line"),
        ("csv", [*GOOD_CSV, 'train/b.jpg,"B ." C,1'], "malformed_line"),
        ("csv", [*GOOD_CSV, ",B .,1"], "no_file_name"),
        ("csv", [*GOOD_CSV, f'train/b.jpg,"{"x" * 140_000}",1'], "malformed_line"),
        ("jsonl", [*GOOD_JSON, "{"], "malformed_line"),
        ("jsonl", [*GOOD_JSON, [1]], "not_an_object"),
        ("jsonl", [*GOOD_JSON, {"text": "A ."}], "missing_field"),
        ("jsonl", [*GOOD_JSON, "[" * 100_000], "malformed_line"),
    ],
)
def test_a_line_that_names_no_photo_is_rejected(folder, name, lines, reason):
    path = write(folder / f"metadata.{name}", *lines)
    found = items(folder)
    (reject,) = of_kind(Reject, found)
    assert (reject.what, reject.reason) == ("photo", reason)
    assert reject.where == f"{path}:{len(lines)}"
    assert captions(found) == [("train/a.jpg", "A .")]


def test_a_photo_without_a_caption_is_named(folder):
    lines = [*GOOD_JSON, {"file_name": "b.jpg"}]
    write(folder / "metadata.jsonl", *lines)
    assert of_kind(Named, items(folder, "--split_fractions=1,0,0")) == [Named("b.jpg")]


def test_metadata_may_be_named(folder, tmp_path):
    path = write(tmp_path / "own.csv", "file_name,text", "test/a.jpg,A .")
    assert captions(items("photos.zip", f"--captions={path}")) == [
        ("test/a.jpg", "A .")
    ]


@pytest.mark.parametrize(
    ("photos", "message"),
    [
        (
            "",
            r"--photos: no metadata\.jsonl or metadata\.csv in .* or name it with --c",
        ),
        ("x.zip", r"name the metadata of .*x\.zip with --captions metadata\.jsonl"),
    ],
)
def test_metadata_that_is_not_there(folder, photos, message):
    with pytest.raises(UserError, match=message):
        items(folder / photos)


def test_photos_without_a_split(folder):
    write(folder / "metadata.jsonl", {"file_name": "a.jpg", "text": "A ."})
    with pytest.raises(UserError, match="names a split, train, dev or test"):
        items(folder)
