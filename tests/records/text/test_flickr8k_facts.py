"""What is known of the real Flickr8k text, counted with our tokenizer."""

import os
import string
from collections import Counter
from pathlib import Path

import pytest

from records.text.tokenizer import Tokenizer, TokenizerSettings
from records.text.vocabulary import Vocabulary

DATA = Path(os.environ.get("TFCAP_DATA", "TFCAP_DATA"))
TEXT = DATA / "flickr8k" / "text"
CAPTIONS = TEXT / "Flickr8k.token.txt"
ODD = "2258277193_586949ec62.jpg.1"

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not CAPTIONS.exists(), reason=f"no {CAPTIONS}; set TFCAP_DATA"),
]


@pytest.fixture(scope="module")
def lines() -> list[tuple[str, str]]:
    """(photo id, caption) of every line."""
    rows = [line.split("\t") for line in CAPTIONS.read_text("utf-8").splitlines()]
    return [(key.split("#")[0], text) for key, text in rows]


@pytest.fixture(scope="module")
def splits() -> dict[str, set[str]]:
    return {
        split: set((TEXT / f"Flickr_8k.{split}Images.txt").read_text().split())
        for split in ("train", "dev", "test")
    }


@pytest.fixture(scope="module")
def words(lines) -> list[list[str]]:
    """The words of every line."""
    settings = TokenizerSettings(kind="word", min_letters=2, min_count=10, oov="drop")
    return Tokenizer(settings).words([text for _, text in lines])


@pytest.fixture(scope="module")
def training(lines, words, splits) -> list[list[str]]:
    return [row for (photo, _), row in zip(lines, words) if photo in splits["train"]]


@pytest.fixture(scope="module")
def vocabulary(training) -> Vocabulary:
    counts = Counter(word for row in training for word in row)
    return Vocabulary.from_counts(counts, 10, keep_unknown=False)


def test_lines_and_photos(lines):
    assert len(lines) == 40_460
    photos = {photo for photo, _ in lines}
    assert len(photos) == 8_092
    assert [photo for photo in photos if not photo.endswith(".jpg")] == [ODD]


def test_every_photo_has_five_captions(lines):
    assert set(Counter(photo for photo, _ in lines).values()) == {5}


def test_splits(lines, splits):
    sizes = {split: len(photos) for split, photos in splits.items()}
    assert sizes == {"train": 6_000, "dev": 1_000, "test": 1_000}
    assert len(set.union(*splits.values())) == 8_000
    left = {photo for photo, _ in lines} - set.union(*splits.values())
    assert len(left) == 91 + 1
    assert ODD in left


def test_distinct_words(words):
    assert len({word for row in words for word in row}) == 8_763


def test_captions_left_empty(words):
    assert sum(not row for row in words) == 2


def test_longest_caption(words):
    longest = max(words, key=len)
    assert len(longest) == 32
    every = Vocabulary.from_counts(Counter(longest), 1, keep_unknown=False)
    assert len(every.encode(longest)) == 34


def test_training_vocabulary(training, vocabulary):
    assert len(training) == 30_000
    assert len(vocabulary) - 1 == 1_651  # <start> and <end> counted
    assert len(vocabulary) == 1_652  # and <pad>


def test_prefix_rows(training, vocabulary):
    # A caption of n ids has n - 1 (prefix, next) rows. One whose words are all
    # dropped has one still: <start> -> <end>.
    assert sum(len(vocabulary.encode(row)) - 1 for row in training) == 292_328


def test_words_are_those_of_plain_python(lines, words):
    table = str.maketrans("", "", string.punctuation)
    for (_, text), row in zip(lines, words):
        cleaned = [word.translate(table) for word in text.lower().split()]
        assert row == [w for w in cleaned if len(w) > 1 and w.isalpha()], text
