"""Damage to shards, records and rejects: each is found."""

import dataclasses
import os
import re

import numpy as np
import pytest
from verified import files, problems, says

from records.__main__ import main
from records.format.manifest import FILE_NAME
from records.format.rejects import FILE_NAME as REJECTS
from records.verification.record_checks import photo_format
from records.verification.verifier import verify

TRAIN = [f"train-0000{i}-of-00003.tfrecord" for i in range(3)]
DEV = [f"dev-0000{i}-of-00002.tfrecord" for i in range(2)]


def changed(split, shard, record, **fields):
    """A rearrangement: one record with other fields."""

    def rearrange(arranged):
        held = arranged[split][shard]
        held[record] = dataclasses.replace(held[record], **fields)

    return rearrange


@pytest.mark.parametrize("settings", [{}, {"oov": "drop"}, {"dtype": "float16"}])
@pytest.mark.parametrize("keep_photos", [False, True])
def test_a_whole_set(make_record_set, settings, keep_photos):
    report = verify(str(make_record_set(**settings, keep_photos=keep_photos)))
    assert report.problems == ()
    assert report.whole
    found = report.totals
    assert (found.photos, found.captions, report.shards) == (17, 33, 5)


def test_a_flipped_bit(record_set, flip_bit):
    flip_bit(record_set / TRAIN[1], record=1)
    found = problems(record_set)
    assert says(found, TRAIN[1], None, "SHA-256 is .*; the manifest says")
    assert says(found, TRAIN[1], 1, "damaged: byte .* begins no whole record")
    assert len(found) == 2


def test_every_damaged_record_of_a_shard_is_named(record_set, flip_bit):
    for record in (0, 2):
        flip_bit(record_set / TRAIN[0], record)
    damaged = [p[:2] for p in problems(record_set) if "damaged" in p[2]]
    assert damaged == [(TRAIN[0], 0), (TRAIN[0], 2)]


def test_a_damaged_length_hides_what_follows(record_set):
    path = record_set / TRAIN[2]
    content = bytearray(path.read_bytes())
    second = 16 + int.from_bytes(content[:8], "little")
    content[second] ^= 1
    path.write_bytes(content)
    found = problems(record_set)
    assert says(found, TRAIN[2], 1, f"damaged: byte {second} begins no whole record")
    assert says(found, TRAIN[2], None, "holds 2 photos; .* could not be found")


def test_a_truncated_shard(record_set):
    path = record_set / TRAIN[0]
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-7])
    found = problems(record_set)
    assert says(found, TRAIN[0], None, f"^{size - 7} bytes; .* says {size}$")
    assert says(found, TRAIN[0], None, "SHA-256")
    last = max(record for file, record, _ in found if record is not None)
    assert says(found, TRAIN[0], last, "damaged")


def test_a_shard_cut_between_two_records(record_set):
    path = record_set / TRAIN[0]
    content = path.read_bytes()
    first = 16 + int.from_bytes(content[:8], "little")
    path.write_bytes(content[:first])
    found = problems(record_set)
    assert says(found, TRAIN[0], None, "holds 1 photos; the manifest says")
    assert says(found, FILE_NAME, None, "photos written: the manifest says 17")


def test_a_missing_shard(record_set):
    (record_set / DEV[1]).unlink()
    assert problems(record_set) == [(DEV[1], None, "missing; the manifest lists it")]


def test_a_directory_in_the_place_of_a_shard(record_set):
    (record_set / DEV[1]).unlink()
    (record_set / DEV[1]).mkdir()
    assert problems(record_set) == [(DEV[1], None, "cannot read: Is a directory")]


def test_two_shards_swapped(record_set):
    os.rename(record_set / TRAIN[0], record_set / "kept")
    os.rename(record_set / TRAIN[2], record_set / TRAIN[0])
    os.rename(record_set / "kept", record_set / TRAIN[2])
    found = problems(record_set)
    for name, other in ((TRAIN[0], 2), (TRAIN[2], 0)):
        assert says(found, name, None, f"SHA-256 is that of {TRAIN[other]}")
        assert says(found, name, 0, f"belongs in shard {other} of 3 by its hash")


def test_photos_out_of_order(make_record_set):
    directory = make_record_set(rearrange=lambda a: a["train"][0].reverse())
    found = problems(directory)
    assert says(found, TRAIN[0], 1, r"stands out of order: it belongs before train")
    assert files(found) == {TRAIN[0]}


def test_a_photo_in_another_shard(make_record_set):
    directory = make_record_set(
        rearrange=lambda a: a["train"][0].append(a["train"][1].pop())
    )
    moved = [found for found in problems(directory) if "1 of 3 by its hash" in found[2]]
    assert [file for file, _, _ in moved] == [TRAIN[0]]


@pytest.mark.parametrize("split", ["train", "dev"])
def test_a_photo_twice(make_record_set, split):
    def rearrange(arranged):
        photo = arranged["train"][0][0]
        arranged[split][-1].append(photo)

    directory = make_record_set(rearrange=rearrange)
    twice = [p for p in problems(directory) if "is there twice" in p[2]]
    assert len(twice) == 1
    # Shards are read in the order of the manifest, dev before train.
    first = TRAIN[0] if split == "train" else DEV[-1]
    assert re.search(rf"first in {first}, record \d", twice[0][2])
    assert ("in another split" in twice[0][2]) == (split == "dev")


def test_a_stray_shard(record_set):
    stray = "train-00000-of-00009.tfrecord"
    (record_set / stray).write_bytes((record_set / TRAIN[0]).read_bytes())
    (record_set / "notes.txt").write_text("no shard, and no matter")
    message = "a shard that the manifest does not list"
    assert problems(record_set) == [(stray, None, message)]


def test_leftovers(record_set):
    (record_set / f".{TRAIN[0]}.1a2b3c4d.tmp").write_bytes(b"")
    (record_set / ".build").mkdir()
    assert problems(record_set) == [
        (
            f".{TRAIN[0]}.1a2b3c4d.tmp",
            None,
            "left by a write that broke off; remove it",
        ),
        (".build", None, "left by a build that broke off; remove it"),
    ]


def test_a_missing_line_of_rejects(record_set):
    path = record_set / REJECTS
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    assert problems(record_set) == [
        (
            REJECTS,
            None,
            "photos rejected as photo_missing: the manifest says 1; found 0",
        ),
        (
            REJECTS,
            None,
            "captions rejected as photo_missing: the manifest says 5; found 0",
        ),
    ]


def test_damaged_rejects(record_set):
    with open(record_set / REJECTS, "a") as file:
        file.write("no reject\n")
    found = problems(record_set)
    assert says(found, REJECTS, None, r"rejects\.jsonl:4 is damaged: Invalid JSON")
    (record_set / REJECTS).unlink()
    assert says(problems(record_set), REJECTS, None, "is missing")


@pytest.mark.parametrize(
    ("fields", "pattern"),
    [
        ({"photo_sha256": b"short"}, "digest of 5 bytes; expected 32"),
        (
            {"features": np.array([0, np.nan, 0, 0], np.float32)},
            "features are not all finite",
        ),
        (
            {"features": np.array([0, np.inf, 0, 0], np.float32)},
            "features are not all finite",
        ),
        ({"features": np.zeros(3, np.float32)}, "take 12 bytes; .* takes 16"),
        ({"captions": (), "ids": ()}, "has no caption"),
        ({"captions": ("a", "dog")}, r"2 captions, but 1 rows of ids"),
        ({"ids": ((4, 5, 2),)}, "caption 0 do not begin with <start>"),
        ({"ids": ((1, 4, 5),)}, "caption 0 do not begin with <start> and end with"),
        ({"ids": ((1,),)}, "caption 0 do not begin with <start> and end with"),
        ({"ids": ((1, 4, 7, 2),)}, "caption 0 has id 7; the vocabulary has 7 tokens"),
        ({"ids": ((1, -1, 2),)}, "caption 0 has id -1; the vocabulary has 7 tokens"),
        (
            {"ids": ((1, 4, 6, 2),)},
            "caption 0 has id 6 'the' in place 2, where its text gives id 5 'dog'",
        ),
        (
            {"ids": ((1, 4, 5, 6, 2),)},
            "caption 0 has id 6 'the' in place 3, where its text gives id 2 '<end>'",
        ),
        ({"captions": ("a dog !!",), "ids": ((1, 5, 2),)}, "gives id 4 'a'"),
        ({"encoded": b"another photo"}, "is not the one its digest names"),
    ],
)
def test_what_is_wrong_inside_a_record(make_record_set, fields, pattern):
    one = {"captions": ("a dog",), "ids": ((1, 4, 5, 2),)}
    rearrange = changed("train", 1, 1, **{**one, **fields})
    directory = make_record_set(rearrange=rearrange)
    assert says(problems(directory), TRAIN[1], 1, pattern)


def test_the_second_of_two_captions_is_looked_at(make_record_set):
    ids = ((1, 4, 2), (1, 4, 9, 2))
    rearrange = changed("dev", 0, 0, captions=("a", "b"), ids=ids)
    directory = make_record_set(rearrange=rearrange)
    assert says(problems(directory), DEV[0], 0, r"dev\d\.jpg: caption 1 has id 9")


def test_one_problem_does_not_hide_another(make_record_set, flip_bit):
    broken = changed("train", 2, 0, photo_sha256=b"", captions=())
    directory = make_record_set(rearrange=broken)
    flip_bit(directory / DEV[0], record=0)
    (directory / TRAIN[0]).unlink()
    (directory / REJECTS).unlink()
    (directory / "test-00000-of-00001.tfrecord").write_bytes(b"")
    found = problems(directory)
    assert says(found, DEV[0], 0, "damaged")
    assert says(found, TRAIN[0], None, "missing")
    assert says(found, TRAIN[2], 0, "digest of 0 bytes")
    assert says(found, TRAIN[2], 0, "has no caption")
    assert says(found, REJECTS, None, "is missing")
    assert says(found, "test-00000-of-00001.tfrecord", None, "does not list")


def test_totals_are_left_out_where_not_all_could_be_read(record_set, flip_bit):
    flip_bit(record_set / DEV[0], record=0)
    assert FILE_NAME not in files(problems(record_set))


def test_no_manifest_is_a_users_error(record_set, capsys):
    (record_set / FILE_NAME).unlink()
    assert main(["verify", str(record_set)]) == 1
    assert "is not a record set" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"\x89PNG\r\n", "PNG"),
        (b"GIF89a", "GIF"),
        (b"BM6\0", "BMP"),
        (b"RIFF\x10\0\0\0WEBP", "WebP"),
        (b"II*\0", None),
    ],
)
def test_every_format_that_a_build_reads_is_known(start, kind):
    assert photo_format(start) == kind


def test_photos_in_the_order_of_their_containers(make_record_set, edit_manifest):
    directory = make_record_set(rearrange=lambda a: a["train"][0].reverse())
    assert problems(directory)
    edit_manifest(directory, sources__order="containers")
    assert problems(directory) == []
