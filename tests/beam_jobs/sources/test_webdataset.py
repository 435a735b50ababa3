"""Samples of tars: photos, captions, splits, and what is wrong with them."""

import argparse
import io
import json
import os
import re
import tarfile

import pytest

from beam_jobs.elements import Caption, Named, SourceFile, SplitAssignment
from beam_jobs.sources import options
from records.errors import UserError
from records.format.rejects import Reject


def write_tar(path, files) -> str:
    with tarfile.open(path, "w") as tar:
        for name, content in files:
            if not isinstance(content, bytes):
                content = json.dumps(content).encode()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return str(path)


def parse(*flags) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos")
    options.add_options(parser)
    args = parser.parse_args(["--source=webdataset", *flags])
    options.check_options(parser, args)
    return args


def items(path, *flags) -> list:
    source = options.open_source(parse(f"--photos={path}", *flags))
    return [item for part in source.to_read() for item in source.items(part)]


def of_kind(kind, found) -> list:
    return [item for item in found if isinstance(item, kind)]


def texts(found) -> list[str]:
    return [caption.text for caption in of_kind(Caption, found)]


PHOTO = ("0.jpg", b"photo")


def test_a_sample_gives_its_photo_caption_and_split(tmp_path):
    path = write_tar(tmp_path / "train-0.tar", [PHOTO, ("0.txt", b"A dog .\n")])
    file, *others = items(path)
    assert (file.photo_id, file.path, file.size, file.place) == ("0.jpg", path, 5, 512)
    assert others == [
        SplitAssignment("0.jpg", "train"),
        Caption("0.jpg", 0, f"{path}:0[0]", "A dog ."),
    ]


@pytest.mark.parametrize(
    ("flags", "members", "expected"),
    [
        ([], [("0.json", {"caption": "A ."})], ["A ."]),
        (
            [],
            [("0.json", {"captions": ["A .", "B ."], "caption": "C ."})],
            ["A .", "B ."],
        ),
        ([], [("0.txt", b"T ."), ("0.json", {"captions": ["A ."]})], ["T ."]),
        (["--field=caption=alt"], [("0.json", {"alt": "A .", "text": "B ."})], ["A ."]),
        (
            ["--field=caption=alt"],
            [("0.txt", b"T ."), ("0.json", {"alt": "A ."})],
            ["A ."],
        ),
        (
            ["--field=caption=a", "--field=caption=b"],
            [("0.json", {"b": ["B .", "C ."], "a": "A ."})],
            ["A .", "B .", "C ."],
        ),
        ([], [("0.txt", "\ufeffÉté .".encode())], ["Été ."]),
    ],
)
def test_captions(tmp_path, flags, members, expected):
    path = write_tar(tmp_path / "train.tar", [PHOTO, *members])
    found = items(path, *flags)
    assert texts(found) == expected
    assert [c.number for c in of_kind(Caption, found)] == list(range(len(expected)))


def test_a_list_of_no_captions_leaves_the_photo(tmp_path):
    files = [PHOTO, ("0.txt", b"A ."), ("1.jpg", b""), ("1.json", {"captions": []})]
    found = items(write_tar(tmp_path / "0.tar", files), "--split_fractions=1,0,0")
    assert of_kind(Named, found) == [Named("1.jpg")]
    assert not of_kind(Reject, found)


def test_names_up_to_the_first_dot_are_a_sample(tmp_path):
    files = [
        ("a/0.jpg", b"photo"),
        ("a/0.txt", b"A ."),
        ("b/0.seg.png", b"no photo of the sample"),
        ("b/0.jpg", b"photo"),
        ("b/._0.jpg", b"of macOS"),
        ("b/0.txt", b"B ."),
    ]
    found = items(write_tar(tmp_path / "test.tar", files))
    photos = [file.photo_id for file in of_kind(SourceFile, found)]
    assert (photos, texts(found)) == (["a/0.jpg", "b/0.jpg"], ["A .", "B ."])
    assert not of_kind(Reject, found)


@pytest.mark.parametrize(
    ("name", "json_split", "flags", "expected"),
    [
        ("cc3m-train-0001.tar", None, [], "train"),
        ("validation_7.tar", "test", [], "dev"),
        ("0.tar", "val", [], "dev"),
        ("0.tar", "test", ["--split_fractions=0.8,0.1,0.1"], None),
        ("train-0.tar", None, ["--split_fractions=0.8,0.1,0.1"], None),
    ],
)
def test_splits(tmp_path, name, json_split, flags, expected):
    entry = {"caption": "A .", "split": json_split}
    (tmp_path / "data").mkdir()
    path = write_tar(tmp_path / "data" / name, [PHOTO, ("0.json", entry)])
    found = [split for _, split in of_kind(SplitAssignment, items(path, *flags))]
    assert found == ([expected] if expected else [])


def test_the_split_may_have_another_key(tmp_path):
    files = [PHOTO, ("0.txt", b"A ."), ("0.json", {"part": "test"})]
    (tmp_path / "data").mkdir()
    path = write_tar(tmp_path / "data" / "0.tar", files)
    found = items(path, "--field=split=part")
    assert of_kind(SplitAssignment, found) == [SplitAssignment("0.jpg", "test")]


GOOD = [PHOTO, ("0.txt", b"A .")]


@pytest.mark.parametrize(
    ("members", "what", "reason", "captions"),
    [
        ([("1.txt", b"B .")], "photo", "not_one_photo", 1),
        ([("1.jpg", b""), ("1.png", b""), ("1.txt", b"")], "photo", "not_one_photo", 1),
        ([("../1.jpg", b""), ("../1.txt", b"")], "photo", "path_outside", 1),
        ([("/1.jpg", b""), ("/1.txt", b"")], "photo", "path_outside", 1),
        ([("1.jpg", b"")], "caption", "missing_field", 1),
        ([("1.jpg", b""), ("1.json", b"{")], "caption", "malformed_json", 1),
        ([("1.jpg", b""), ("1.json", b"[" * 10**5)], "caption", "malformed_json", 1),
        ([("1.jpg", b""), ("1.json", b"[1]")], "caption", "not_an_object", 1),
        ([("1.jpg", b""), ("1.json", {"caption": 7})], "caption", "not_a_string", 1),
        ([("1.jpg", b""), ("1.txt", b"\xff")], "caption", "not_utf8", 1),
        ([("1.jpg", b""), ("1.txt", b"a" * 2**21)], "caption", "text_too_long", 1),
    ],
)
def test_a_sample_that_cannot_be_used(tmp_path, members, what, reason, captions):
    path = write_tar(tmp_path / "train.tar", [*GOOD, *members])
    found = items(path)
    (reject,) = of_kind(Reject, found)
    assert (reject.what, reject.reason, reject.captions) == (what, reason, captions)
    assert reject.where.startswith(path) and "1" in reject.where.split(":")[1]
    assert texts(found) == ["A ."]
    named = {item.photo_id for item in of_kind(Named | SplitAssignment, found)}
    assert named == ({"0.jpg", "1.jpg"} if what == "caption" else {"0.jpg"})


@pytest.mark.parametrize(
    ("size", "where"), [(2048 + 600, ":1"), (2048 + 1024 + 513, ":1"), (2048, "")]
)
def test_a_tar_that_was_cut_short_costs_its_rest(tmp_path, size, where):
    files = [*GOOD, ("1.jpg", b"photo"), ("1.txt", b"B .")]
    path = write_tar(tmp_path / "train.tar", files)
    content = (tmp_path / "train.tar").read_bytes()
    (tmp_path / "train.tar").write_bytes(content[:size])
    found = items(path)
    (reject,) = of_kind(Reject, found)
    assert (reject.where, reject.reason) == (f"{path}{where}", "damaged_archive")
    assert texts(found) == ["A ."]
    assert len(of_kind(SourceFile, found)) == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--captions=a.txt"], "needs --photos .*; it takes no --captions"),
        (["--splits=lists"], "it takes no --splits"),
        (["--field=photo=a"], "it takes --field caption or split"),
        (["--field=caption"], "expected ROLE=NAME, e.g. caption=description; received"),
    ],
)
def test_options_that_it_does_not_take(flags, message, capsys):
    with pytest.raises(SystemExit):
        parse("--photos=a.tar", *flags)
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("name", "files", "message"),
    [
        ("0.tar", GOOD, "neither the name of .*0.tar nor what is in it names a sp"),
        ("train.tar", [], "no captioned photo at the head of .*train.tar. --source"),
        (
            "train.tar",
            [PHOTO],
            r"at the head of .* \(.*train.tar:0, missing_field: exp",
        ),
        ("train.zip", GOOD, "reads files that end in .tar; received .*train.zip"),
    ],
)
def test_a_wrong_file_is_refused_at_once(tmp_path, name, files, message):
    (tmp_path / "data").mkdir()
    path = write_tar(tmp_path / "data" / name, files)
    with pytest.raises(UserError, match=message):
        items(path)


def test_a_pipe_is_no_tar(tmp_path):
    os.mkfifo(tmp_path / "train.tar")
    with pytest.raises(UserError, match=r"cannot read .*train\.tar: it is a pipe; exp"):
        items(tmp_path / "train.tar")


def test_a_dry_run_reads_no_file():
    args = parse("--photos=s3://bucket/train-{0..1}.tar")
    source = options.open_source(args, check_inputs=False)
    expected = ["s3://bucket/train-0.tar", "s3://bucket/train-1.tar"]
    assert [path for _, path in source.to_read()] == expected
