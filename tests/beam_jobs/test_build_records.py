"""Whole builds of a data set in miniature, with an encoder that loads at once."""

import json
import os
import random
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from small_data import (
    PHOTOS,
    SPLIT_OF,
    SmallData,
    animated_gif,
    build,
    caption_lines,
    contents,
    corrupt_jpeg,
    counting,
    huge_png,
    photo_bytes,
)

from beam_jobs import build_records
from beam_jobs.runners.dry_run import prepare
from beam_jobs.sources.flickr8k import SPLIT_FILES
from records.errors import UserError
from records.format import schema
from records.format.manifest import load_manifest
from records.format.record_set import RecordSet

BAD_PHOTOS = {
    "bad_corrupt.jpg": (corrupt_jpeg("x"), "corrupt_photo"),
    "bad_truncated.jpg": (photo_bytes("x")[:-100], "corrupt_photo"),
    "bad_webp.jpg": (photo_bytes("x", "TIFF"), "unsupported_format"),
    "bad_empty.jpg": (b"", "empty_file"),
    "bad_text.jpg": (b"this is no photo", "not_an_image"),
    "bad_huge.jpg": (huge_png(), "too_many_pixels"),
    "bad_missing.jpg": (None, "photo_missing"),
}
GOOD_PHOTOS = {
    "good_png.jpg": photo_bytes("x", "PNG"),
    "good_animated.jpg": animated_gif(),
    "good_bmp.jpg": photo_bytes("x", "BMP"),
    "good_gif.jpg": photo_bytes("x", "GIF"),
    "good_cmyk.jpg": photo_bytes("x", mode="CMYK"),
    "good_rgb.jpg": photo_bytes("x"),
    "good_webp.jpg": photo_bytes("x", "WEBP"),
}


def worst_data(folder: Path) -> SmallData:
    """Everything that can be wrong, beside ten photos that are right."""
    data = SmallData(folder)
    for name, (content, _) in BAD_PHOTOS.items():
        data.add(name, content)
    for name, content in GOOD_PHOTOS.items():
        data.add(name, content)
    data.add("bad_directory.jpg", None)
    (data.photos / "bad_directory.jpg").mkdir()
    data.add("bad_silent.jpg", photo_bytes("x"), ["bad_silent.jpg#0\t! 42 ."])
    data.add("bad_twice.jpg", photo_bytes("x"))
    data.append(data.splits / SPLIT_FILES["test"], ["bad_twice.jpg"])
    data.append(data.splits / SPLIT_FILES["dev"], ["bad_uncaptioned.jpg"])
    data.add_photo("bad_uncaptioned.jpg")
    data.add_photo("bad_unlisted.jpg")
    data.append(data.captions, caption_lines("bad_unlisted.jpg"))
    with open(os.fsencode(data.photos) + b"/caf\xe9.jpg", "wb"):
        pass
    data.append(data.captions, [b"a.jpg#5\tcaf\xe9 .", "nonsense", "a.jpg#6\t7 !"])
    return data


@pytest.fixture(scope="module")
def worst(tmp_path_factory) -> tuple[SmallData, RecordSet]:
    folder = tmp_path_factory.mktemp("worst")
    data = worst_data(folder / "data")
    build(data.job(folder / "out"))
    return data, RecordSet.open(str(folder / "out"))


def rejects(records: RecordSet) -> list[dict]:
    lines = Path(records.directory, "rejects.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def all_records(records: RecordSet) -> dict[str, schema.PhotoRecord]:
    splits = filter(records.manifest.photos, records.manifest.shards)
    return {r.photo_id: r for split in splits for r in records.records(split)}


EXPECTED_REJECTS = {name: reason for name, (_, reason) in BAD_PHOTOS.items()} | {
    "bad_directory.jpg": "not_a_file",
    "bad_silent.jpg": "no_caption",
    "bad_twice.jpg": "in_two_splits",
    "bad_uncaptioned.jpg": "no_caption",
    "bad_unlisted.jpg": "in_no_split",
}


def test_every_bad_photo_is_named_with_its_reason(worst):
    found = {r["where"]: r["reason"] for r in rejects(worst[1]) if r["what"] == "photo"}
    assert found == EXPECTED_REJECTS


def test_every_bad_caption_is_named_by_file_and_line(worst):
    data, records = worst
    lines = data.captions.read_bytes().splitlines()
    found = {r["where"]: r["reason"] for r in rejects(records) if r["what"] != "photo"}
    silent = 1 + lines.index(b"bad_silent.jpg#0\t! 42 .")
    assert found == {
        f"{data.captions}:{silent}": "no_word_left",
        f"{data.captions}:{len(lines) - 2}": "not_utf8",
        f"{data.captions}:{len(lines) - 1}": "malformed_line",
        f"{data.captions}:{len(lines)}": "no_word_left",
    }


def test_in_is_written_and_rejected(worst):
    data, records = worst
    numbers = records.manifest.statistics
    assert numbers.photos_in == len(EXPECTED_REJECTS) + len(GOOD_PHOTOS) + len(PHOTOS)
    assert numbers.photos_written == len(all_records(records)) == 17
    assert numbers.photos_in == numbers.photos_written + numbers.photos_rejected
    assert numbers.captions_in == len(data.captions.read_bytes().splitlines())
    assert numbers.captions_in == numbers.captions_written + numbers.captions_rejected
    assert numbers.uncaptioned_files == 1  # caf\xe9.jpg


def test_the_manifest_counts_rejects_by_reason(worst):
    numbers = worst[1].manifest.statistics
    assert numbers.rejected_photos == Counter(EXPECTED_REJECTS.values())
    captions = Counter()
    for reject in rejects(worst[1]):
        captions[reject["reason"]] += reject["captions"]
    assert numbers.rejected_captions == +captions


def test_png_gif_and_bmp_under_a_jpeg_name_are_read(worst):
    held = all_records(worst[1])
    assert worst[1].manifest.statistics.photo_formats == {
        "BMP": 1,
        "GIF": 2,
        "JPEG": 12,
        "PNG": 1,
        "WebP": 1,
    }
    for name in ("good_png.jpg", "good_gif.jpg", "good_bmp.jpg"):
        rgb = held["good_rgb.jpg"].features
        np.testing.assert_allclose(held[name].features, rgb, atol=2)


def test_a_cmyk_photo_gives_the_features_of_its_rgb_version(worst):
    held = all_records(worst[1])
    cmyk, rgb = held["good_cmyk.jpg"].features, held["good_rgb.jpg"].features
    np.testing.assert_allclose(cmyk, rgb, atol=1)


def test_a_bad_caption_does_not_lose_the_photos_others(worst):
    captions = all_records(worst[1])["a.jpg"].captions
    assert captions == tuple(line.split("\t")[1] for line in caption_lines("a.jpg"))


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> tuple[SmallData, Path]:
    """Ten good photos, and what a build makes of them."""
    folder = tmp_path_factory.mktemp("plain")
    data = SmallData(folder / "data")
    build(data.job(folder / "out"))
    return data, folder / "out"


def test_a_record_set(plain):
    _, output = plain
    records = RecordSet.open(str(output))
    assert set(all_records(records)) == set(PHOTOS)
    assert [records.manifest.photos(s) for s in ("train", "dev", "test")] == [6, 2, 2]
    assert sorted(records.vocabulary.tokens[4:])[:3] == ["a", "aa", "bb"]
    assert "gg" not in records.vocabulary.tokens  # a word of the dev list
    assert (output / "rejects.jsonl").read_bytes() == b""
    names = {path.name.split("-")[0] for path in output.iterdir()}
    others = {"vocabulary.txt", "rejects.jsonl", "dataset.json"}
    assert names == {"train", "dev", "test"} | others


def test_shuffled_inputs_give_the_same_bytes(plain, tmp_path):
    data, output = plain
    lines = data.captions.read_bytes().splitlines()
    shutil.move(data.folder, tmp_path / "kept")
    try:
        # Files, split lists and caption lines come in another order.
        again = SmallData(data.folder, reversed(PHOTOS))
        again.write_lines(again.captions, random.Random(0).sample(lines, len(lines)))
        for name in SPLIT_FILES.values():
            path = again.splits / name
            again.write_lines(path, path.read_bytes().splitlines()[::-1])
        build(again.job(tmp_path / "out"))
    finally:
        shutil.rmtree(data.folder)
        shutil.move(tmp_path / "kept", data.folder)
    assert contents(tmp_path / "out") == contents(output)


def test_workers_give_the_same_bytes(plain, tmp_path):
    data, output = plain
    flags = ["--direct_running_mode=multi_threading", "--direct_num_workers=2"]
    build(data.job(tmp_path / "out"), *flags)
    assert contents(tmp_path / "out") == contents(output)


def test_an_interrupted_build_goes_on_where_it_stopped(plain, tmp_path):
    data, output = plain
    job = data.job(tmp_path / "out")
    broken = counting(breaks_after=4)
    with pytest.raises(RuntimeError, match="switched off"):
        build(job, encoder_for=broken)
    left = contents(job.output, ".build", "rejects.jsonl")
    assert 0 < len(left) < 4  # shards
    with pytest.raises(UserError, match="is not a record set"):
        RecordSet.open(job.output)
    (tmp_path / "out" / ".dev-00000-of-00001.tfrecord.0.tmp").write_text("")
    (tmp_path / "out" / "train-00000-of-00009.tfrecord").write_text("")
    finished = [
        json.loads(path.read_text()) for path in Path(job.output).glob(".build/*.json")
    ]
    second = counting()
    build(job, encoder_for=second)
    assert second.photos == 10 - sum(report["shard"]["photos"] for report in finished)
    assert contents(job.output) == contents(output)


def test_too_many_rejects_and_the_flag_that_allows_them(data, tmp_path):
    for name in ("c.jpg", "g.jpg"):
        data.add_photo(name, b"no photo")
    job, encoder = data.job(tmp_path / "out", max_reject_fraction=0.1), counting()
    with pytest.raises(UserError) as error:
        build(job, encoder_for=encoder)
    assert (
        "2 of 10 photos were rejected, more than --max_reject_fraction 0.1 allows; "
        "rejected: not_an_image 2 photos and 10 captions, e.g. c.jpg: "
    ) in str(error.value)
    assert "--max_reject_fraction 0.2:" in str(error.value)
    with pytest.raises(UserError, match="is not a record set"):
        RecordSet.open(job.output)
    assert encoder.photos == 8
    build(replace(job, max_reject_fraction=0.2), encoder_for=encoder)
    assert encoder.photos == 8
    assert len(all_records(RecordSet.open(job.output))) == 8


def no_list(data):
    for split in ("train", "dev", "test"):
        data.write_split(split, ["nobody.jpg"])


def no_word(data):
    lines = [f"{photo}#0\t! 42 ." for photo in PHOTOS]
    data.write_lines(data.captions, lines)


def no_file(data):
    for photo in data.photos.iterdir():
        photo.unlink()


def other_names(data):
    lines = [line.replace(".jpg", ".png") for p in PHOTOS for line in caption_lines(p)]
    data.write_lines(data.captions, lines)


def one_photo_twice(data):
    data.write_split("dev", [f"{letter}.jpg" for letter in SPLIT_OF["train"]])


@pytest.mark.parametrize(
    ("spoil", "reasons"),
    [
        (no_list, "in_no_split 10 photos and 50 captions, e.g. a.jpg: in none of the"),
        (no_word, "no_caption 10 photos, e.g. a.jpg: no usable caption"),
        (no_word, "no_word_left 10 captions, e.g. "),
        (no_file, "photo_missing 10 photos and 50 captions, e.g. a.jpg: no file "),
        (other_names, "in_no_split 10 photos and 50 captions, e.g. a.png: in none"),
        (other_names, "no_caption 10 photos, e.g. a.jpg: no usable caption"),
        (one_photo_twice, "in_two_splits 6 photos and 30 captions, e.g. a.jpg: listed"),
    ],
)
def test_without_training_photos_the_reasons_are_named(data, tmp_path, spoil, reasons):
    spoil(data)
    job, encoder = data.job(tmp_path / "out"), counting()
    with pytest.raises(UserError) as error:
        build(job, encoder_for=encoder)
    message = str(error.value)
    assert message.startswith("no training photo is left; rejected: ")
    assert reasons in message and "min_count" not in message
    assert encoder.photos == 0
    lines = Path(job.output, "rejects.jsonl").read_text().splitlines()
    for line in lines:
        assert f" {json.loads(line)['reason']} " in message


def test_what_must_fail_fails_before_a_photo_is_encoded(data, tmp_path):
    (data.photos / "a.jpg").unlink()
    (data.photos / "g.jpg").unlink()
    job, encoder = data.job(tmp_path / "out", max_reject_fraction=0.1), counting()
    with pytest.raises(UserError, match=r"2 of 10 .*: photo_missing 2 photos"):
        build(job, encoder_for=encoder)
    assert encoder.photos == 0
    assert len(Path(job.output, "rejects.jsonl").read_text().splitlines()) == 2
    build(replace(job, max_reject_fraction=0.2), encoder_for=encoder)
    assert encoder.photos == 8


def test_a_build_that_breaks_off_leaves_what_was_rejected(data, tmp_path):
    data.append(data.captions, ["nonsense"])
    job = data.job(tmp_path / "out")
    with pytest.raises(RuntimeError, match="switched off"):
        build(job, encoder_for=counting(breaks_after=1))
    (line,) = Path(job.output, "rejects.jsonl").read_text().splitlines()
    assert json.loads(line)["reason"] == "malformed_line"


def test_files_beside_the_photos_are_no_photos(data, tmp_path):
    """As img2dataset, macOS and Windows leave them."""
    for photo in PHOTOS:
        for name in (f"{photo[0]}.txt", f"{photo[0]}.json", f"._{photo}"):
            (data.photos / name).write_text("")
    for name in (".DS_Store", "Thumbs.db"):
        (data.photos / name).write_text("")
    build(data.job(tmp_path / "out", max_reject_fraction=0.0))
    numbers = load_manifest(str(tmp_path / "out")).statistics
    assert (numbers.photos_in, numbers.photos_rejected) == (10, 0)
    assert numbers.uncaptioned_files == 32


def test_shards_that_no_photo_falls_into(data, tmp_path):
    build(data.job(tmp_path / "out", records={"photos_per_shard": 1}))
    records = RecordSet.open(str(tmp_path / "out"))
    photos = [s.photos for held in records.manifest.shards.values() for s in held]
    assert (len(photos), sum(photos)) == (10, 10)
    assert 0 in photos
    assert len(all_records(records)) == 10


def test_a_list_that_is_not_utf8_is_named(data, tmp_path):
    data.append(data.splits / SPLIT_FILES["dev"], [b"caf\xe9.jpg"])
    with pytest.raises(UserError, match=r"devImages\.txt:3: 'utf-8' codec .*in UTF-8"):
        build(data.job(tmp_path / "out"))


def test_making_the_graph_logs_nothing(data, tmp_path, caplog):
    job, options = data.job(tmp_path / "out"), PipelineOptions([])
    prepare(lambda p: build_records.construct(p, job), options)
    assert not caplog.messages


def test_the_graph_does_not_grow_with_the_photos(data, tmp_path):
    def size(photos: int) -> int:
        names = [f"{i:04d}.jpg" for i in range(photos)]
        data.write_lines(data.captions, [c for n in names for c in caption_lines(n)])
        data.write_split("train", names)
        job, options = data.job(tmp_path / "out"), PipelineOptions([])
        submission = prepare(lambda p: build_records.construct(p, job), options)
        return submission.graph.ByteSize()

    few, many = size(10), size(1000)
    assert many < 300_000
    assert abs(many - few) < 200  # a pickled step may differ by a few bytes
