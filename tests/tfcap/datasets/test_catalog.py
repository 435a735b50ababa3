"""The data sets of `tfcap download`: what arrives, and whether sources read it."""

import argparse
import dataclasses
import functools
import hashlib
import io
import json
import re
import shlex
import tarfile
import zipfile
from pathlib import Path

import pytest
from file_server import FileServer

from beam_jobs import build_records
from beam_jobs.elements import Caption, SplitAssignment
from beam_jobs.io.photo_files import list_photos
from beam_jobs.sources import options
from records.storage.photo_ids import base_name
from tfcap.cli import main
from tfcap.datasets import catalog, http
from tfcap.datasets.catalog import DATA_SETS


def zip_of(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def tar_of(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def coco_captions(photo: str, key: int) -> bytes:
    return json.dumps(
        {
            "images": [{"id": key, "file_name": photo}],
            "annotations": [{"id": 1, "image_id": key, "caption": "A dog ."}],
        }
    ).encode()


def karpathy(*photos: dict[str, str]) -> bytes:
    images = [{**photo, "sentences": [{"raw": "A dog ."}]} for photo in photos]
    return json.dumps({"images": images}).encode()


def split_photos(**photos: str) -> list[dict[str, str]]:
    return [{"filename": name, "split": split} for split, name in photos.items()]


LISTS = {"train": "1000", "val": "2000", "test": "3000"}
TOKENS = "".join(f"{name}.jpg#0\tA dog .\n" for name in LISTS.values()).encode()


def coco_files(year: int, prefix: str) -> dict[str, bytes]:
    members = {
        f"annotations/captions_{split}{year}.json": coco_captions(
            f"{prefix.format(split)}{key:012}.jpg", key
        )
        for key, split in enumerate(("train", "val"))
    }
    members[f"annotations/instances_val{year}.json"] = b"{}"
    return {f"annotations_trainval{year}.zip": zip_of(members)}


FILES = {
    "flickr30k.tar.gz": tar_of(
        {"results_20130124.token": TOKENS, "readme.txt": b"read me"}
    ),
    **{f"{split}.txt": f"{name}\n".encode() for split, name in LISTS.items()},
    **coco_files(2014, "COCO_{}2014_"),
    **coco_files(2017, ""),
    "caption_datasets.zip": zip_of(
        {
            "dataset_coco.json": karpathy(
                {
                    "filename": "COCO_train2014_1.jpg",
                    "filepath": "train2014",
                    "split": "restval",
                }
            ),
            "dataset_flickr30k.json": karpathy(*split_photos(train="1000.jpg")),
            "dataset_flickr8k.json": karpathy(*split_photos(train="1_a.jpg")),
        }
    ),
}
TREES = {
    "flickr30k": [
        "flickr30k_text/results_20130124.token",
        "flickr30k_text/test.txt",
        "flickr30k_text/train.txt",
        "flickr30k_text/val.txt",
    ],
    "coco2014": [
        "annotations/captions_train2014.json",
        "annotations/captions_val2014.json",
    ],
    "coco2017": [
        "annotations/captions_train2017.json",
        "annotations/captions_val2017.json",
    ],
    "karpathy": [
        "karpathy/dataset_coco.json",
        "karpathy/dataset_flickr30k.json",
        "karpathy/dataset_flickr8k.json",
    ],
}
# Split and photo that the source of each command's captions yields, and photo archives.
READ = {
    "flickr30k": [{("train", "1000.jpg"), ("dev", "2000.jpg"), ("test", "3000.jpg")}],
    "coco2014": [
        {
            ("train", "COCO_train2014_000000000000.jpg"),
            ("dev", "COCO_val2014_000000000001.jpg"),
        }
    ],
    "coco2017": [{("train", "000000000000.jpg"), ("dev", "000000000001.jpg")}],
    "karpathy": [
        {("train", "train2014/COCO_train2014_1.jpg")},
        {("train", "1000.jpg")},
        {("train", "1_a.jpg")},
    ],
}


@pytest.fixture
def server(monkeypatch):
    """A server of small archives, whose sizes and digests the table then has."""
    monkeypatch.setattr(http, "WAITS", (0.0,))
    with FileServer(dict(FILES)) as server:
        for name in TREES:
            small = small_set(name, server.url)
            monkeypatch.setitem(catalog.DATA_SETS, name, small)
        yield server


def small_set(name: str, url: str) -> catalog.DataSet:
    data_set = DATA_SETS[name]
    folders = []
    for folder in data_set.folders:
        archives = tuple(
            archive._replace(
                url=f"{url}/{archive.name}",
                length=archive.length and len(FILES[archive.name]),
                digest=archive.digest
                and f"sha256:{hashlib.sha256(FILES[archive.name]).hexdigest()}",
            )
            for archive in folder.archives
        )
        counts = tuple(
            dataclasses.replace(
                count,
                number={"captions": 3, "files of captions": len(TREES[name])}.get(
                    count.what, 1
                ),
            )
            for count in folder.counts
        )
        folders.append(dataclasses.replace(folder, archives=archives, counts=counts))
    return dataclasses.replace(data_set, folders=tuple(folders))


def run(name: str, output: Path, *flags: str) -> int:
    return main.main(["download", name, f"--output={output}", *flags])


def next_commands(out: str) -> list[list[str]]:
    return [shlex.split(line) for line in out.partition("next:\n")[2].splitlines()]


@pytest.mark.parametrize("name", TREES)
def test_what_is_left_is_what_the_next_command_reads(server, name, tmp_path, capsys):
    assert run(name, tmp_path) == 0
    files = (path for path in tmp_path.rglob("*") if path.is_file())
    assert sorted(str(path.relative_to(tmp_path)) for path in files) == TREES[name]
    out = capsys.readouterr().out
    assert "photos" in out and "Flickr" in out
    items = [read(words) for words in next_commands(out)]
    assert items == READ[name]


@functools.cache
def parser() -> argparse.ArgumentParser:
    return build_records.make_parser()


def read(words: list[str]) -> set[tuple[str, str]]:
    """Returns split and photo of what the source of a command yields."""
    args, others = parser().parse_known_args(words[2:])
    assert words[:2] == ["tfcap", "build"] and not others
    options.check_options(parser(), args)
    source = options.open_source(args)
    items = [item for part in source.to_read() for item in source.items(part)]
    captioned = {item.photo_id for item in items if isinstance(item, Caption)}
    splits = {i.photo_id: i.split for i in items if isinstance(i, SplitAssignment)}
    assert splits.keys() == captioned, "every photo has a split and a caption"
    return {(split, photo) for photo, split in splits.items()}


@pytest.mark.parametrize("name", ["coco2014", "coco2017"])
def test_photos_are_read_from_zips_beside_the_captions(server, name, tmp_path, capsys):
    assert run(name, tmp_path) == 0
    (words,) = next_commands(capsys.readouterr().out)
    year = name.removeprefix("coco")
    wanted = {photo for _, photo in READ[name][0]}
    for split, photo in zip(("train", "val"), sorted(wanted), strict=True):
        content = zip_of({f"{split}{year}/{photo}": b""})
        (tmp_path / f"{split}{year}.zip").write_bytes(content)
    args, _ = parser().parse_known_args(words[2:])
    listed = {base_name(file.photo_id) for file in list_photos(args.photos)}
    assert listed == wanted


def test_photos_that_need_a_form_are_said_and_where(server, tmp_path, capsys):
    assert run("flickr30k", tmp_path) == 0
    out = capsys.readouterr().out
    assert "fill in the form https://forms.illinois.edu/sec/229675" in out
    assert f"into {tmp_path}" in out


def test_a_file_of_unknown_digest_is_checked_by_its_lines(server, tmp_path, capsys):
    server.files["val.txt"] = b"<html>not found</html>\n\nno list\n"
    assert run("flickr30k", tmp_path) == 1
    assert "val.txt" in (err := capsys.readouterr().err)
    assert "has 2 dev photos listed, not 1" in err
    server.files["val.txt"] = FILES["val.txt"]
    assert run("flickr30k", tmp_path) == 0, "the wrong list is fetched again"


def test_a_tar_of_another_digest_is_refused(server, tmp_path, capsys):
    server.files["flickr30k.tar.gz"] = FILES["flickr30k.tar.gz"][:-40]
    assert run("flickr30k", tmp_path) == 1
    assert "so it is damaged, or another file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "archive"),
    [("coco2017", "annotations_trainval2017.zip"), ("flickr30k", "flickr30k.tar.gz")],
)
def test_a_damaged_archive_of_unknown_digest_is_one_sentence(
    server, tmp_path, capsys, monkeypatch, name, archive
):
    (folder,) = catalog.DATA_SETS[name].folders
    archives = tuple(a._replace(digest=None, length=None) for a in folder.archives)
    unknown = dataclasses.replace(folder, archives=archives)
    other = dataclasses.replace(catalog.DATA_SETS[name], folders=(unknown,))
    monkeypatch.setitem(catalog.DATA_SETS, name, other)
    server.files[archive] = FILES[archive][: len(FILES[archive]) // 2]
    assert run(name, tmp_path) == 1
    err = capsys.readouterr().err
    assert f"{archive} is damaged: " in err and "Traceback" not in err


def test_a_directory_of_files_is_read(server, tmp_path, capsys):
    origin = tmp_path / "usb"
    origin.mkdir()
    for name, content in FILES.items():
        (origin / name).write_bytes(content)
    assert run("flickr30k", tmp_path / "out", f"--from={origin}") == 0
    assert not server.asked


def test_every_archive_of_the_table_has_a_name_and_a_digest_or_a_count():
    for data_set in DATA_SETS.values():
        for folder in data_set.folders:
            assert folder.counts
            for archive in folder.archives:
                assert archive.url.startswith("https://") and archive.name
                assert re.compile(archive.members).groups == 1
                algorithm, _, digits = (archive.digest or "").partition(":")
                length = {"md5": 32, "sha256": 64, "": 0}[algorithm]
                assert re.fullmatch(f"[0-9a-f]{{{length}}}", digits)
