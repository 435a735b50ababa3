"""Captions to words, and words to tokens."""

import pytest

from beam_jobs.elements import Caption, Photo, SourceFile
from beam_jobs.transforms.tokenize import (
    TextCounts,
    add_tokens,
    make_vocabulary,
    split_captions,
)
from records.format.rejects import Reject
from records.text.tokenizer import Tokenizer
from tfcap.config.experiment import TokenizerConfig

FILE = SourceFile("a.jpg", "photos/a.jpg", 9, 1.0)
CAPTION = Caption("a.jpg", 0, "f:1", "A dog .")
SPLIT = CAPTION._replace(words=("a", "dog"))


def words(kind: str, *texts: str) -> tuple[dict, list[Reject]]:
    captions = [
        CAPTION._replace(number=i, where=f"f:{i}", text=text)
        for i, text in enumerate(texts)
    ]
    return split_captions(captions, Tokenizer(TokenizerConfig(kind=kind)), TextCounts())


def test_captions_are_tokenized_and_empty_ones_rejected():
    kept, rejects = words("word", "A dog .", "! 42 .")
    assert kept == {"a.jpg": [CAPTION._replace(where="f:0", words=("a", "dog"))]}
    assert rejects == [Reject("caption", "f:1", "no_word_left", "! 42 .", 1)]


@pytest.mark.parametrize("kind", ["wordpiece", "char"])
def test_numbers_are_words_where_words_need_not_be_letters(kind):
    kept, (reject,) = words(kind, "! 42 .", "!")
    assert [caption.words for caption in kept["a.jpg"]] == [("42",)]
    assert reject.reason == "no_word_left"


@pytest.mark.parametrize(
    ("settings", "tokens"),
    [
        ({"kind": "word", "min_count": 2}, [["a", "dog"], ["dogs"]]),
        ({"kind": "wordpiece"}, [["a", "dog"], ["dog", "##s"]]),
        ({"kind": "char"}, [["a", "<space>", "d", "o", "g"], ["d", "o", "g", "s"]]),
    ],
)
def test_captions_get_the_tokens_of_the_vocabulary(settings, tokens):
    counts, settings = {"dog": 8, "a": 9, "sad": 5}, TokenizerConfig(**settings)
    vocabulary, _ = make_vocabulary(counts, settings)
    captions = (SPLIT, SPLIT._replace(words=("dogs",)))
    photos = [Photo(f"{i}.jpg", "train", FILE, captions) for i in range(3)]
    found = add_tokens(photos, settings, vocabulary)
    assert [photo.photo_id for photo in found] == ["0.jpg", "1.jpg", "2.jpg"]
    for photo in found:
        assert [list(caption.tokens) for caption in photo.captions] == tokens
        assert [c._replace(tokens=()) for c in photo.captions] == [*captions]
