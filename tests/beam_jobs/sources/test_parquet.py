"""Parquet files as Hugging Face and others write them: columns, splits, rejects."""

import argparse

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_jobs.elements import Caption, Named, SourceFile, SplitAssignment
from beam_jobs.sources import options
from records.errors import UserError
from records.format.rejects import Reject

IMAGES = [{"bytes": b"photo a", "path": "a.jpg"}, {"bytes": b"b", "path": "in/b.jpg"}]
CAPTIONS = [["A .", "B ."], ["C ."]]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def write(path, **columns) -> str:
    pq.write_table(pa.table(columns), path)
    return str(path)


def parse(*flags) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos")
    options.add_options(parser)
    args = parser.parse_args(["--source=parquet", *flags])
    options.check_options(parser, args)
    return args


def items(*flags) -> list:
    source = options.open_source(parse(*flags))
    return [item for part in source.to_read() for item in source.items(part)]


def of_kind(kind, found) -> list:
    return [item for item in found if isinstance(item, kind)]


def texts(found) -> list[tuple[str, int, str]]:
    return [(c.photo_id, c.number, c.text) for c in of_kind(Caption, found)]


EXPECTED = [("a.jpg", 0, "A ."), ("a.jpg", 1, "B ."), ("in/b.jpg", 0, "C .")]


def test_a_row_gives_its_photo_captions_and_split(folder):
    path = write(folder / "train-0.parquet", image=IMAGES, caption=CAPTIONS)
    found = items(f"--photos={path}")
    assert texts(found) == EXPECTED
    assert of_kind(SplitAssignment, found) == [
        SplitAssignment("a.jpg", "train"),
        SplitAssignment("in/b.jpg", "train"),
    ]
    photos = of_kind(SourceFile, found)
    assert [(p.photo_id, p.place, p.extent, p.column) for p in photos] == [
        ("a.jpg", 0, 2, "image.bytes"),
        ("in/b.jpg", 1, 2, "image.bytes"),
    ]


BYTES = [image["bytes"] for image in IMAGES]
NAMES = [image["path"] for image in IMAGES]
FORMS = {
    "bytes and a name": ({"jpg": BYTES, "filename": NAMES, "captions": CAPTIONS}, []),
    "numbered captions": (
        {"image": IMAGES, "caption_1": ["B .", None], "caption_0": ["A .", "C ."]},
        [],
    ),
    "columns of other names": (
        {"x": BYTES, "id": NAMES, "t": ["A .", "C ."], "u": ["B .", None]},
        ["--field=caption=t", "--field=caption=u", "--field=name=id"],
    ),
    "the photo's column named": (
        {"image": [b"x", b"y"], "scan": IMAGES, "text": CAPTIONS},
        ["--field=photo=scan"],
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_columns(folder, form):
    columns, flags = FORMS[form]
    path = write(folder / "train.parquet", **columns)
    assert texts(items(f"--photos={path}", *flags)) == EXPECTED


def test_photos_without_a_name_are_named_by_their_row(folder):
    images = [{"bytes": b"a", "path": None}, None]
    path = write(folder / "test.parquet", image=images, text=["A .", "B ."])
    expected = [("test.parquet/0", 0, "A ."), ("test.parquet/1", 0, "B .")]
    assert texts(items(f"--photos={path}")) == expected


def test_a_name_that_leads_out_is_rejected_and_a_root_is_left_out(folder):
    images = [{"bytes": b"a", "path": "/home/a.jpg"}, {"bytes": b"b", "path": "../b"}]
    path = write(folder / "test.parquet", image=images, text=["A .", "B ."])
    found = items(f"--photos={path}")
    assert texts(found) == [("home/a.jpg", 0, "A .")]
    (reject,) = of_kind(Reject, found)
    expected = f"{path}:1", "path_outside", 1
    assert (reject.where, reject.reason, reject.captions) == expected


@pytest.mark.parametrize(
    ("name", "flags", "expected"),
    [
        ("0.parquet", [], ["dev", "test"]),
        ("train-0.parquet", [], ["train", "train"]),
        ("0.parquet", ["--field=split=part"], ["train", "train"]),
        ("train-0.parquet", ["--split_fractions=0.8,0.1,0.1"], []),
    ],
)
def test_splits(folder, name, flags, expected):
    columns = {"split": ["val", "test"], "part": ["train", "train"]}
    path = write(folder / name, image=IMAGES, text=CAPTIONS, **columns)
    found = items(f"--photos={path}", *flags)
    assert [split for _, split in of_kind(SplitAssignment, found)] == expected


def test_files_with_captions_and_paths_of_photos(folder):
    path = write(folder / "train.parquet", image=["./a.jpg", ""], text=["A .", "B ."])
    args = parse(f"--photos={folder}", f"--captions={folder}/*.parquet")
    source = options.open_source(args)
    assert (source.holds_photos, source.files()) == (
        False,
        {"captions": f"{folder}/*.parquet"},
    )
    found = [item for part in source.to_read() for item in source.items(part)]
    assert texts(found) == [("a.jpg", 0, "A .")]
    (reject,) = of_kind(Reject, found)
    assert (reject.where, reject.reason) == (f"{path}:1", "no_file_name")


def test_captions_that_cannot_be_used(folder):
    images = [*IMAGES, {"bytes": b"c", "path": "c.jpg"}]
    path = write(folder / "0.parquet", image=images, text=["A .", None, "C ."])
    found = items(f"--photos={path}", "--split_fractions=1,0,0")
    (reject,) = of_kind(Reject, found)
    assert (reject.where, reject.reason) == (f"{path}:1", "missing_field")
    assert of_kind(Named, found) == [Named("in/b.jpg")]
    path = write(folder / "1.parquet", image=IMAGES, text=[[1], [2]])
    with pytest.raises(UserError, match=r"not_a_string: expected 'caption' to be a s"):
        items(f"--photos={path}", "--split_fractions=1,0,0")


@pytest.mark.parametrize(
    ("columns", "flags", "message"),
    [
        (
            {"image": BYTES, "alt": NAMES},
            [],
            "no column of captions that is known; name it with --field caption=NAME, "
            "one of image, alt",
        ),
        (
            {"a": BYTES, "b": BYTES, "text": NAMES},
            [],
            "no column of photos that is known; .* photo=NAME, one of a, b, text",
        ),
        (
            {"image": BYTES, "text": NAMES},
            ["--field=caption=txt"],
            "--field caption=txt: .* has no such column; it has image, text",
        ),
        ({"image": NAMES, "text": NAMES}, [], "no column of photos that is known"),
    ],
)
def test_columns_that_are_not_there(folder, columns, flags, message):
    path = write(folder / "train.parquet", **columns)
    with pytest.raises(UserError, match=message):
        items(f"--photos={path}", *flags)


def test_a_file_that_is_no_parquet(folder):
    (folder / "train.parquet").write_bytes(b"no parquet")
    with pytest.raises(UserError, match="does not end as a Parquet file does"):
        items(f"--photos={folder}/train.parquet")
