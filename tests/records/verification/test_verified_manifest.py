"""Edits of the manifest and of the vocabulary: each is found."""

import dataclasses
import hashlib
import json
import re

import pytest
from verified import files, problems, says

from records.format.manifest import FILE_NAME
from records.text.vocabulary import FILE_NAME as VOCABULARY

TRAIN = [f"train-0000{i}-of-00003.tfrecord" for i in range(3)]
DEV = [f"dev-0000{i}-of-00002.tfrecord" for i in range(2)]


@pytest.mark.parametrize(
    ("field", "pattern"),
    [
        ("photos_in", r"photos in, written \+ rejected: .* says 99; found 19"),
        ("photos_written", "photos in all shards: .* says 99; found 17"),
        ("captions_in", r"captions in, written \+ rejected: .* says 99; found 41"),
        ("captions_written", "captions written: .* says 99; found 33"),
        ("tokens", "tokens: the manifest says 99; found"),
        ("out_of_vocabulary", "out of vocabulary: the manifest says 99; found"),
    ],
)
def test_an_edited_statistic(record_set, edit_manifest, field, pattern):
    edit_manifest(record_set, **{f"statistics__{field}": 99})
    found = problems(record_set)
    assert says(found, FILE_NAME, None, pattern)
    assert files(found) == {FILE_NAME}


def test_words_of_before_they_were_counted_are_not_cut_again(
    make_record_set, edit_manifest
):
    """Then `man’s` was no word."""

    def rearrange(arranged):
        first = arranged["train"][0][0]
        text = f"{first.captions[0]} man’s"
        arranged["train"][0][0] = dataclasses.replace(
            first, captions=(text, *first.captions[1:])
        )

    directory = make_record_set(rearrange=rearrange)
    assert any("where its text gives" in what for _, _, what in problems(directory))
    numbers = json.loads((directory / FILE_NAME).read_text())["statistics"]
    for name in ("words_in", "words_kept", "dropped_words"):
        del numbers[name]
    numbers["tokens"] -= 1
    numbers["out_of_vocabulary"] -= 1
    edit_manifest(directory, statistics=numbers)
    assert problems(directory) == []


@pytest.mark.parametrize("train", [8, 9])
def test_the_longest_caption_of_a_split(record_set, edit_manifest, train):
    lengths = {"train": train, "dev": 8, "test": 0}
    edit_manifest(record_set, statistics__longest_by_split=lengths)
    expected = "longest caption of split train: the manifest says 9; found 8"
    found = [(FILE_NAME, None, expected)] if train == 9 else []
    assert problems(record_set) == found


def test_tokens_are_counted_without_the_vocabulary_too(make_record_set, edit_manifest):
    directory = make_record_set(oov="drop")
    (directory / VOCABULARY).unlink()
    assert files(problems(directory)) == {VOCABULARY}
    edit_manifest(directory, statistics__out_of_vocabulary=0)
    assert says(problems(directory), FILE_NAME, None, "tokens with an id")


def test_any_edit_of_the_manifest_shows(record_set):
    path = record_set / FILE_NAME
    path.write_text(path.read_text().replace("/captions.txt", "/caption.txt"))
    what = "was changed after the build: its fields do not fit its checksum"
    assert problems(record_set) == [(FILE_NAME, None, what)]


def test_a_manifest_laid_out_otherwise_is_the_same(record_set):
    path = record_set / FILE_NAME
    path.write_text(json.dumps(json.loads(path.read_text())))
    assert problems(record_set) == []


@pytest.mark.parametrize("what", ["mean", "deviation"])
def test_edited_moments(record_set, edit_manifest, what):
    moments = json.loads((record_set / FILE_NAME).read_text())["moments"]
    moments[what][2] += 1e-3
    edit_manifest(record_set, moments=moments)
    (problem,) = problems(record_set)
    assert problem[0] == FILE_NAME
    assert re.search(rf"^{what} of feature 2: .* 1 of 4 differ", problem[2])


def test_formats_of_photos_that_are_kept(make_record_set, edit_manifest):
    def rearrange(arranged):
        for shard in (shard for held in arranged.values() for shard in held):
            for i, record in enumerate(shard):
                photo = b"\xff\xd8\xff" + record.photo_id.encode()
                digest = hashlib.sha256(photo).digest()
                changes = {"encoded": photo, "photo_sha256": digest}
                shard[i] = dataclasses.replace(record, **changes)

    directory = make_record_set(keep_photos=True, rearrange=rearrange)
    assert problems(directory) == []
    edit_manifest(directory, statistics__photo_formats={"JPEG": 16, "PNG": 1})
    found = problems(directory)
    assert says(found, FILE_NAME, None, "photos of format JPEG: .* says 16; found 17")
    assert says(found, FILE_NAME, None, "photos of format PNG: .* says 1; found 0")


def test_other_settings_of_the_tokenizer(record_set, edit_manifest):
    edit_manifest(record_set, tokenizer__min_letters=2)
    found = problems(record_set)
    assert any("has id 4 'a' in place 1, where its text gives" in p[2] for p in found)
    assert all(isinstance(record, int) for file, record, _ in found if file in TRAIN)


def test_a_vocabulary_changed_with_its_digest(record_set, edit_manifest):
    path = record_set / VOCABULARY
    content = path.read_text().replace("dog\n", "cat\n").encode()
    path.write_bytes(content)
    edit_manifest(record_set, vocabulary_sha256=hashlib.sha256(content).hexdigest())
    pattern = r"jpg: caption \d has id \d+ 'cat' in place \d, where its text gives id"
    found = [p for p in problems(record_set) if re.search(pattern, p[2])]
    assert {file for file, _, _ in found} == {*TRAIN, *DEV}


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
