"""Words, pieces and characters: their vocabularies, and how words are cut."""

import os
import time
from collections import Counter
from pathlib import Path

import pytest

from records.errors import UserError
from records.text.subwords import KINDS, SPACE, cut_words
from records.text.tokenizer import Tokenizer
from records.text.tokenizer_config import TokenizerSettings
from records.text.vocabulary import Vocabulary

SPECIAL = ("<pad>", "<start>", "<end>", "<unk>")
COUNTS = {"no": 40, "on": 30, "noon": 20, "not": 5, "ton": 3, "sos": 2}


def build_vocabulary(kind, counts, min_count=1, oov="unk", **own) -> Vocabulary:
    settings = TokenizerSettings(kind=kind, min_count=min_count, oov=oov, **own)
    return KINDS[kind].build_vocabulary(counts, settings)


def pieces(size, **settings) -> Vocabulary:
    return build_vocabulary("wordpiece", COUNTS, vocabulary_size=size, **settings)


def test_words_are_their_own_tokens():
    vocabulary = build_vocabulary("word", COUNTS, min_count=5, min_letters=1)
    assert vocabulary.tokens == (*SPECIAL, "no", "on", "noon", "not")
    assert KINDS["word"].tokenize([["no", "sos"], []], vocabulary) == [
        ["no", "sos"],
        [],
    ]


def test_characters_follow_the_space_by_falling_count():
    vocabulary = build_vocabulary(
        "char", {"ab": 2, "ba": 1, "cb": 1, "é": 3}, min_count=2
    )
    assert vocabulary.tokens == (*SPECIAL, SPACE, "b", "a", "é")


def test_characters_are_unicode_characters():
    (row,) = KINDS["char"].tokenize(
        [["größe", "犬🐶"]], build_vocabulary("char", COUNTS)
    )
    assert row == ["g", "r", "ö", "ß", "e", SPACE, "犬", "🐶"]


def test_single_characters_come_before_longer_pieces():
    tokens = pieces(30).tokens[len(SPECIAL) :]
    assert tokens[:8] == (*(f"##{c}" for c in "nost"), *"nost")
    assert tokens[8:10] == ("no", "on")
    assert all(len(token.removeprefix("##")) > 1 for token in tokens[8:])


@pytest.mark.parametrize("size", range(12, 24))
def test_a_vocabulary_never_exceeds_its_size(size):
    vocabulary = pieces(size)
    assert len(vocabulary) <= size
    for word in COUNTS:  # and however small it is, every word can be made up
        (row,) = cut_words([word], vocabulary)
        assert set(row) <= set(vocabulary.tokens)
        assert "".join(row).replace("##", "") == word


def test_a_size_below_the_characters_is_refused_and_says_how_many():
    with pytest.raises(UserError, match=r"vocabulary_size: 11 is too small.* are 12;"):
        pieces(11)
    assert len(pieces(12)) == 12
    with pytest.raises(UserError, match=r"vocabulary_size: 10 is too small.* are 11;"):
        pieces(10, oov="drop")


def test_rare_words_are_no_pieces_of_their_own():
    assert "sos" in pieces(40).tokens
    assert "sos" not in pieces(40, min_count=3).tokens


def test_the_longest_piece_comes_first():
    vocabulary = Vocabulary([*SPECIAL, "d", "do", "dog", "##g", "##s", "##gs"])
    rows = KINDS["wordpiece"].tokenize(
        [["dogs", "dog", "dogs"], [], ["dg"]], vocabulary
    )
    expected = [["dog", "##s", "dog", "dog", "##s"], [], ["d", "##g"]]
    assert rows == expected


def test_a_word_without_pieces_stays_whole_and_is_unknown():
    vocabulary = Vocabulary([*SPECIAL, "d", "##o", "##g"])
    (row,) = KINDS["wordpiece"].tokenize([["dog", "dox", "犬"]], vocabulary)
    assert row == ["d", "##o", "##g", "dox", "犬"]
    assert vocabulary.encode(row) == [1, 4, 5, 6, 3, 3, 2]


def test_a_word_of_any_length_is_cut():
    vocabulary = Vocabulary([*SPECIAL, "d", "##o"])
    (row,) = cut_words(["d" + "o" * 5000], vocabulary)
    assert row == ["d", *["##o"] * 5000]


DATA = Path(os.environ.get("TFCAP_DATA", "TFCAP_DATA"))
TEXT = DATA / "flickr8k" / "text"


@pytest.fixture(scope="module")
def captions() -> list[str]:
    """Those of Flickr8k's training list."""
    path = TEXT / "Flickr8k.token.txt"
    if not path.exists():
        pytest.skip(f"no {path}; set TFCAP_DATA")
    training = set((TEXT / "Flickr_8k.trainImages.txt").read_text().split())
    rows = [line.split("\t") for line in path.read_text("utf-8").splitlines()]
    return [text for key, text in rows if key.split("#")[0] in training]


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("own", "size", "tokens"),
    [
        ({"kind": "wordpiece", "vocabulary_size": 4000, "min_count": 2}, 4000, 335_785),
        ({"kind": "char", "min_count": 1}, 41, 1_591_897),
    ],
    ids=["wordpiece", "char"],
)
def test_every_training_caption_of_flickr8k_comes_back(captions, own, size, tokens):
    tokenizer = Tokenizer(TokenizerSettings(oov="unk", **own))
    words = tokenizer.words(captions)
    started = time.monotonic()
    vocabulary = tokenizer.build_vocabulary(
        Counter(word for row in words for word in row)
    )
    learnt = time.monotonic()
    rows = tokenizer.tokens(words, vocabulary)
    print(f"learnt in {learnt - started:.1f} s, cut in {time.monotonic() - learnt:.1f}")
    texts = tokenizer.texts(vocabulary)
    for expected, row in zip(words, rows, strict=True):
        ids = vocabulary.encode(row)
        assert 3 not in ids
        assert "".join(texts[i] for i in ids).strip() == " ".join(expected)
    assert len(vocabulary) == size
    assert sum(map(len, rows)) == tokens
