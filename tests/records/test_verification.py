import dataclasses
import json
import os
import re

import numpy as np
import pytest

from records.__main__ import main
from records.manifest import FILE_NAME
from records.rejects import FILE_NAME as REJECTS
from records.verification import verify
from records.vocabulary import FILE_NAME as VOCABULARY

TRAIN = [f"train-0000{i}-of-00003.tfrecord" for i in range(3)]
DEV = [f"dev-0000{i}-of-00002.tfrecord" for i in range(2)]


def problems(directory) -> list[tuple]:
    return [tuple(problem) for problem in verify(str(directory)).problems]


def says(found, file, record, pattern) -> bool:
    """Whether a problem of that file and record is described so."""
    return any(
        problem[:2] == (file, record) and re.search(pattern, problem[2])
        for problem in found
    )


def files(found) -> set[str]:
    return {file for file, _, _ in found}


def changed(split, shard, record, **fields):
    """A rearrangement: one record with other fields."""

    def rearrange(arranged):
        held = arranged[split][shard]
        held[record] = dataclasses.replace(held[record], **fields)

    return rearrange


@pytest.mark.parametrize("settings", [{}, {"oov": "drop"}, {"dtype": "float16"}])
@pytest.mark.parametrize("keep_photos", [False, True])
def test_a_whole_set(make_record_set, settings, keep_photos):
    verdict = verify(str(make_record_set(**settings, keep_photos=keep_photos)))
    assert verdict.problems == ()
    assert verdict.whole
    found = verdict.found
    assert (found.photos, found.captions, verdict.shards) == (17, 33, 5)


def test_a_flipped_bit(record_set, flip_bit):
    flip_bit(record_set / TRAIN[1], record=1)
    found = problems(record_set)
    assert says(found, TRAIN[1], None, "SHA-256 is .*; the manifest says")
    assert says(found, TRAIN[1], 1, "record 1 is damaged.*was not read")
    assert files(found) == {TRAIN[1]}


def test_a_truncated_shard(record_set):
    path = record_set / TRAIN[0]
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-7])
    found = problems(record_set)
    assert says(found, TRAIN[0], None, f"^{size - 7} bytes; .* says {size}$")
    assert says(found, TRAIN[0], None, "SHA-256")
    assert any(record is not None for _, record, _ in found)


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
    assert says(problems(record_set), DEV[1], None, "cannot be read")


def test_two_shards_swapped(record_set):
    os.rename(record_set / TRAIN[0], record_set / "kept")
    os.rename(record_set / TRAIN[2], record_set / TRAIN[0])
    os.rename(record_set / "kept", record_set / TRAIN[2])
    found = problems(record_set)
    for name, other in ((TRAIN[0], 2), (TRAIN[2], 0)):
        assert says(found, name, None, "SHA-256")
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
    assert f"first in {TRAIN[0] if split == 'train' else DEV[-1]}" in twice[0][2]


@pytest.mark.parametrize(
    ("field", "pattern"),
    [
        ("photos_in", r"photos in, written \+ rejected: .* says 99; found 19"),
        ("photos_written", "photos in all shards: .* says 99; found 17"),
        ("captions_in", r"captions in, written \+ rejected: .* says 99; found 41"),
        ("captions_written", "captions written: .* says 99; found 33"),
        ("tokens", "words with an id: the manifest says 99; found"),
    ],
)
def test_an_edited_statistic(record_set, edit_manifest, field, pattern):
    edit_manifest(record_set, **{f"statistics__{field}": 99})
    found = problems(record_set)
    assert says(found, FILE_NAME, None, pattern)
    assert files(found) == {FILE_NAME}


def test_words_dropped_are_taken_into_account(make_record_set, edit_manifest):
    directory = make_record_set(oov="drop")
    edit_manifest(directory, statistics__out_of_vocabulary=0)
    assert says(problems(directory), FILE_NAME, None, "words with an id")


def test_an_edited_shard_count(record_set, edit_manifest):
    path = record_set / FILE_NAME
    shards = json.loads(path.read_text())["shards"]
    shards["dev"][0]["photos"] += 1
    shards["dev"][1]["captions"] += 1
    edit_manifest(record_set, shards=shards)
    found = problems(record_set)
    assert says(found, DEV[0], None, r"holds \d photos; the manifest says")
    assert says(found, DEV[1], None, r"holds \d captions; the manifest says")
    assert says(found, FILE_NAME, None, "photos in all shards")


def test_an_edited_histogram(record_set, edit_manifest):
    lengths = json.loads((record_set / FILE_NAME).read_text())
    lengths = lengths["statistics"]["caption_lengths"]
    lengths["4"], lengths["8"] = lengths["4"] + 1, lengths["8"] - 1
    edit_manifest(record_set, statistics__caption_lengths=lengths)
    found = problems(record_set)
    assert says(found, FILE_NAME, None, "captions of length 4: the manifest says")
    assert says(found, FILE_NAME, None, "captions of length 8: the manifest says")
    assert len(problems(record_set)) == 2


def test_an_edited_longest_caption(record_set, edit_manifest):
    edit_manifest(record_set, longest_caption=9)
    found = problems(record_set)
    assert says(found, FILE_NAME, None, "longest caption: .* says 9; found 8")


def test_moments_of_another_shape(record_set, edit_manifest):
    edit_manifest(record_set, moments={"mean": [0.0] * 3, "deviation": [1.0] * 5})
    found = problems(record_set)
    assert says(found, FILE_NAME, None, "feature means: .* says 4; found 3")
    assert says(found, FILE_NAME, None, "feature deviations: .* 4; found 5")


def test_shards_listed_under_other_names(record_set, edit_manifest):
    shards = json.loads((record_set / FILE_NAME).read_text())["shards"]
    shards["dev"].reverse()
    edit_manifest(record_set, shards=shards)
    pattern = f"lists a shard '{DEV[1]}' of dev; expected '{DEV[0]}'"
    assert says(problems(record_set), FILE_NAME, None, pattern)


def test_an_edited_vocabulary(record_set):
    path = record_set / VOCABULARY
    path.write_text(path.read_text().replace("dog\n", "dig\n"))
    assert says(problems(record_set), VOCABULARY, None, "SHA-256: the manifest says")
    assert len(problems(record_set)) == 1


def test_a_longer_vocabulary(record_set):
    with open(record_set / VOCABULARY, "a") as file:
        file.write("more\n")
    found = problems(record_set)
    assert says(found, VOCABULARY, None, "tokens: the manifest says 7; found 8")


def test_line_ends_are_part_of_the_vocabulary(record_set):
    path = record_set / VOCABULARY
    path.write_text(path.read_text().removesuffix("\n"))
    assert says(problems(record_set), VOCABULARY, None, "SHA-256")


def test_a_vocabulary_that_does_not_fit_the_tokenizer(record_set, edit_manifest):
    edit_manifest(record_set, tokenizer__oov="drop")
    found = problems(record_set)
    assert says(found, VOCABULARY, None, "an <unk> token: .* False; found True")


@pytest.mark.parametrize("content", [None, b"\xff\n", b"a\nb\nc\n"])
def test_no_vocabulary(record_set, content):
    path = record_set / VOCABULARY
    path.unlink() if content is None else path.write_bytes(content)
    assert [file for file, _, _ in problems(record_set)] == [VOCABULARY]


def test_a_stray_shard(record_set):
    stray = "train-00000-of-00009.tfrecord"
    (record_set / stray).write_bytes((record_set / TRAIN[0]).read_bytes())
    (record_set / "notes.txt").write_text("no shard, and no matter")
    message = "a shard that the manifest does not list"
    assert problems(record_set) == [(stray, None, message)]


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
    assert says(found, DEV[0], 0, "record 0 is damaged")
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


def test_what_is_printed_of_a_whole_set(record_set, capsys):
    assert main(["verify", str(record_set)]) == 0
    out, err = capsys.readouterr()
    assert out.endswith("whole: 17 photos, 33 captions in 5 shards\n")
    assert re.search(r"train\W+12\W+24\W+3", out)
    assert err == ""


def test_what_is_printed_of_a_damaged_set(record_set, capsys):
    (record_set / TRAIN[0]).unlink()
    (record_set / DEV[1]).unlink()
    assert main(["verify", str(record_set)]) == 1
    out, _ = capsys.readouterr()
    assert out.endswith(f"damaged: 2 problems in {record_set}\n")
    assert TRAIN[0] in out and DEV[1] in out and "whole" not in out


def test_many_problems_are_cut_short(make_record_set, capsys):
    ids = ((1, 99, 2),) * 60
    rearrange = changed("dev", 0, 0, captions=("a",) * 60, ids=ids)
    directory = str(make_record_set(rearrange=rearrange))
    assert main(["verify", directory]) == 1
    assert "... and 10 more; --json lists them all" in capsys.readouterr().out
    assert main(["verify", directory, "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["problems"]) == 60


def test_json(record_set, capsys):
    assert main(["verify", str(record_set), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "directory": str(record_set),
        "whole": True,
        "photos": 17,
        "captions": 33,
        "shards": 5,
        "problems": [],
    }


def test_json_of_a_damaged_set(record_set, capsys):
    (record_set / DEV[1]).unlink()
    assert main(["verify", str(record_set), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["whole"] is False
    assert found["problems"] == [
        {"file": DEV[1], "record": None, "what": "missing; the manifest lists it"}
    ]
