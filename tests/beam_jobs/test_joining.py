"""Text steps, on data in memory."""

import apache_beam as beam
import pytest
from apache_beam.pvalue import TaggedOutput
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to

from beam_jobs.elements import REJECTED, Caption, Photo, PhotoFile, Reject
from beam_jobs.joining import (
    TRAINING_WORD,
    JoinPhoto,
    TokenizeCaptions,
    add_tokens,
    make_plan,
)
from beam_jobs.packing import pack_captions, unpack_captions, unpack_photo
from records.errors import UserError
from records.vocabulary import Vocabulary
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
        kept = tokenized.ok | beam.MapTuple(
            lambda photo_id, own: (photo_id, unpack_captions(own))
        )
        assert_that(kept, equal_to([("a.jpg", [CAPTION])]), label="captions")
        assert_that(tokenized[REJECTED], equal_to(rejects), label="rejects")


@pytest.mark.parametrize("kind", ["wordpiece", "char"])
def test_numbers_are_words_where_words_need_not_be_letters(kind):
    step = TokenizeCaptions(TokenizerConfig(kind=kind))
    step.setup()
    captions = [CAPTION._replace(text=text) for text in ("! 42 .", "!")]
    rejected, (photo_id, kept) = step.process(captions)
    assert rejected.value.reason == "no_word_left"
    words = [caption.words for caption in unpack_captions(kept)]
    assert (photo_id, words) == ("a.jpg", [("42",)])


def join(
    captions=(CAPTION,), splits=("train",), files=(FILE,), paths=(), directory="photos"
):
    """Photo or Reject, and (training word, how often)."""
    parts = {"captions": [pack_captions(captions)], "splits": splits}
    parts |= {"files": files, "paths": paths}
    step = JoinPhoto(str(directory))
    step.start_bundle()
    (outcome,) = step.process(("a.jpg", parts))
    counts = list(step.finish_bundle())
    assert {count.tag for count in counts} <= {TRAINING_WORD}
    words = [count.value.value for count in counts]
    if isinstance(outcome, TaggedOutput):
        return outcome.value, words
    return unpack_photo(outcome[-1]), words


def test_a_photo_with_all_it_needs():
    assert join() == (Photo("a.jpg", "train", FILE, (CAPTION,)), [("a", 1), ("dog", 1)])


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
    assert join(files=[])[1] == [("a", 1), ("dog", 1)]


def test_captions_of_a_photo_may_come_in_several_parts():
    second = CAPTION._replace(number=1, words=("a", "cat"))
    captions = [pack_captions([second]), pack_captions([CAPTION])]
    parts = {"captions": captions, "splits": ["train"], "files": [FILE]}
    step = JoinPhoto("photos")
    step.start_bundle()
    ((_, _, content),) = step.process(("a.jpg", {**parts, "paths": []}))
    assert unpack_photo(content).captions == (CAPTION, second)
    assert dict(c.value.value for c in step.finish_bundle())["a"] == 2


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
    with pytest.raises(UserError, match=r"the 1 distinct words.*tokenizer.min_count"):
        make_plan([("dog", 1)], [("train", 1)], TokenizerConfig(min_count=2), 3)


@pytest.mark.parametrize(
    ("settings", "tokens"),
    [
        ({"kind": "word", "min_count": 2}, [["a", "dog"], ["dogs"]]),
        ({"kind": "wordpiece"}, [["a", "dog"], ["dog", "##s"]]),
        ({"kind": "char"}, [["a", "<space>", "d", "o", "g"], ["d", "o", "g", "s"]]),
    ],
)
def test_captions_get_their_tokens_from_the_plan(settings, tokens):
    counts, settings = [("dog", 8), ("a", 9), ("sad", 5)], TokenizerConfig(**settings)
    plan = make_plan(counts, [("train", 1)], settings, 3)
    captions = (CAPTION, CAPTION._replace(words=("dogs",)))
    photos = [Photo(f"{i}.jpg", "train", FILE, captions) for i in range(3)]
    found = add_tokens(photos, settings, Vocabulary(plan.tokens))
    assert [photo.photo_id for photo in found] == ["0.jpg", "1.jpg", "2.jpg"]
    for photo in found:
        assert [list(caption.tokens) for caption in photo.captions] == tokens
        assert [c._replace(tokens=()) for c in photo.captions] == [*captions]
