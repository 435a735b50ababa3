"""Text steps, on data in memory."""

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to

from beam_jobs.elements import REJECTED, Caption, Photo, PhotoFile, Plan, Reject
from beam_jobs.joining import (
    TRAINING_WORD,
    JoinPhoto,
    TokenizeCaptions,
    all_shards,
    assign_shard,
    make_plan,
)
from records.errors import UserError
from tfcap.config import TokenizerConfig

FILE = PhotoFile("a.jpg", "photos/a.jpg", 9, 1.0)
IN_FOLDER = FILE._replace(path="photos/b/a.jpg")
CAPTION = Caption("a.jpg", 0, "f:1", "A dog .", ("a", "dog"))


def test_captions_are_tokenized_and_empty_ones_rejected():
    captions = [CAPTION._replace(words=()), Caption("a.jpg", 1, "f:2", "! 42 .")]
    with beam.Pipeline(FnApiRunner()) as pipeline:
        tokenized = (
            pipeline
            | beam.Create([captions])
            | beam.ParDo(TokenizeCaptions(TokenizerConfig())).with_outputs(
                REJECTED, main="ok"
            )
        )
        rejects = [Reject("caption", "f:2", "no_word_left", "! 42 .", 1)]
        assert_that(tokenized.ok, equal_to([CAPTION]), label="captions")
        assert_that(tokenized[REJECTED], equal_to(rejects), label="rejects")


def join(
    captions=(CAPTION,), splits=("train",), files=(FILE,), paths=(), directory="photos"
):
    """Photo or Reject, and the training words."""
    parts = {"captions": captions, "splits": splits, "files": files, "paths": paths}
    outcomes, words = [], []
    for output in JoinPhoto(str(directory)).process(("a.jpg", parts)):
        tag = getattr(output, "tag", None)
        (words if tag == TRAINING_WORD else outcomes).append(
            output.value if tag else output
        )
    (outcome,) = outcomes
    return outcome, words


def test_a_photo_with_all_it_needs():
    assert join() == (Photo("a.jpg", "train", FILE, (CAPTION,)), ["a", "dog"])


def test_captions_stand_by_number_then_text_not_by_line():
    second = CAPTION._replace(number=1, where="f:10", text="B")
    same = CAPTION._replace(number=1, where="f:9", text="C")
    photo, _ = join(captions=[same, second, CAPTION])
    assert photo.captions == (CAPTION, second, same)


def test_a_photo_twice_in_one_list_is_there_once():
    assert isinstance(join(splits=["dev", "dev"])[0], Photo)


def test_words_outside_the_training_list_are_not_counted():
    assert join(splits=["dev"])[1] == []


def test_words_count_whether_or_not_the_file_is_there():
    assert join(files=[])[1] == ["a", "dog"]


@pytest.mark.parametrize(
    ("parts", "reason", "detail", "captions"),
    [
        ({"splits": ["train", "dev"]}, "in_two_splits", "listed in dev and train", 1),
        ({"captions": []}, "no_caption", "no usable caption", 0),
        ({"splits": []}, "in_no_split", "in none of the splits", 1),
        (
            {"splits": ["tset"]},
            "unknown_split",
            "in split 'tset'; expected one of train, dev, test",
            1,
        ),
        ({"files": []}, "photo_missing", "no file photos/a.jpg", 1),
        ({"paths": ["b/a.jpg"]}, "photo_missing", "no file photos/b/a.jpg", 1),
        (
            {"paths": ["c/a.jpg", "b/a.jpg"]},
            "two_paths",
            "said to lie at b/a.jpg and c/a.jpg",
            1,
        ),
        (
            {"files": [IN_FOLDER, FILE]},
            "two_files",
            "the name of photos/a.jpg and photos/b/a.jpg",
            1,
        ),
    ],
)
def test_a_photo_that_lacks_something(parts, reason, detail, captions):
    expected = Reject("photo", "a.jpg", reason, detail, captions)
    assert join(**parts)[0] == expected


@pytest.mark.parametrize(("path", "file"), [("a.jpg", FILE), ("b/a.jpg", IN_FOLDER)])
def test_a_path_tells_which_of_two_files_is_meant(path, file):
    photo, _ = join(files=[FILE, IN_FOLDER], paths=[path, path])
    assert photo.file == file


def test_a_file_in_a_folder_is_found_by_its_name():
    assert join(files=[IN_FOLDER])[0].file == IN_FOLDER


def test_a_directory_in_a_photos_place(tmp_path):
    (tmp_path / "a.jpg").mkdir()
    reject, _ = join(files=[], directory=tmp_path)
    assert reject.reason == "not_a_file"


def test_the_plan_cuts_shards_and_orders_words():
    counts = [("dog", 2), ("a", 5), ("cat", 2), ("rare", 1)]
    settings = TokenizerConfig(min_count=2)
    plan = make_plan(counts, [("train", 7), ("dev", 3)], settings, 3)
    assert plan.tokens[4:] == ("a", "cat", "dog")
    assert (plan.shards, plan.photos) == ({"train": 3, "dev": 1}, 10)


def test_a_plan_without_words_says_what_to_do():
    with pytest.raises(UserError, match=r"none of the 1 distinct.*tokenizer.min_count"):
        make_plan([("dog", 1)], [("train", 1)], TokenizerConfig(min_count=2), 3)


def test_photos_go_to_the_shard_their_name_says():
    plan = Plan((), {"train": 4}, 1)
    photo = Photo("1000268201_693b08cb0e.jpg", "train", FILE, ())
    assert assign_shard(photo, plan) == (("train", 0), photo)


def test_every_shard_is_listed():
    plan = Plan((), {"train": 2, "dev": 1}, 3)
    expected = [(("train", 0), None), (("train", 1), None), (("dev", 0), None)]
    assert all_shards(plan) == expected
