"""What may come next, checked against every caption that keeps to the rules."""

import numpy as np
import pytest
import tensorflow as tf
from table_model import END, WORDS, TableModel
from test_searches import best_captions, run, stripped

from records.errors import UserError
from records.text.tokenizer_config import TokenizerSettings
from records.text.vocabulary import Vocabulary
from tfcap.config.decoding import ResolvedDecoding
from tfcap.decoding.beam import beam_search
from tfcap.decoding.constraints import ConstraintAutomaton, build_word_table
from tfcap.decoding.greedy import greedy_search
from tfcap.decoding.logits_processors import LogitsProcessor
from tfcap.decoding.searching import check_words

A, DOG, RUNS = 4, 5, 6
PIECES = TokenizerSettings(kind="wordpiece", vocabulary_size=9, min_count=1, oov="unk")


def holds(caption, *ids) -> bool:
    size = len(ids)
    return any(caption[i : i + size] == ids for i in range(len(caption)))


def repeats(caption, n) -> bool:
    grams = [caption[i : i + n] for i in range(len(caption) - n + 1)]
    return len(set(grams)) < len(grams)


# Settings, and what they allow of a caption (tokens after <start>, <end> included).
RULES = {
    "min_length": ({"min_length": 5}, lambda c: len(c) >= 4),
    "no_word_twice": ({"no_repeat_ngram": 1}, lambda c: not repeats(c, 1)),
    "no_pair_twice": ({"no_repeat_ngram": 2}, lambda c: not repeats((1, *c), 2)),
    "without_a_word": ({"without_words": ("dog",)}, lambda c: DOG not in c),
    "without_a_phrase": (
        {"without_words": ("dog runs", "a a")},
        lambda c: not holds(c, DOG, RUNS) and not holds(c, A, A),
    ),
    "with_a_word": ({"with_words": ("dog",)}, lambda c: DOG in c),
    "with_two_words": ({"with_words": ("runs", "dog")}, lambda c: {DOG, RUNS} <= {*c}),
    "with_a_phrase": ({"with_words": ("dog runs",)}, lambda c: holds(c, DOG, RUNS)),
    "with_and_without": (
        {"with_words": ("a",), "without_words": ("dog",), "no_repeat_ngram": 1},
        lambda c: A in c and DOG not in c and not repeats(c, 1),
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_a_wide_beam_finds_the_best_caption_that_keeps_to_the_rules(name):
    changed, allows = RULES[name]
    settings = ResolvedDecoding(beam_width=90, max_length=6, **changed)
    model = TableModel(photos=4, seed=len(name))
    found = run(beam_search, model, 4, settings)
    for photo in range(4):
        expected = [c for c in best_captions(model, photo, settings) if allows(c[1])]
        n = min(4, len(expected))
        assert [stripped(row) for row in found.tokens[photo, :n]] == [
            caption for _, caption in expected[:n]
        ]
        np.testing.assert_allclose(
            found.score[photo, :n], [score for score, _ in expected[:n]], 1e-5, 1e-6
        )
        count = int(tf.reduce_sum(tf.cast(found.allowed()[photo], tf.int32)))
        assert count == min(90, len(expected))


@pytest.mark.parametrize("name", [name for name in RULES if "with_" not in name[:5]])
def test_greedy_keeps_to_the_rules(name):
    changed, allows = RULES[name]
    settings = ResolvedDecoding(beam_width=1, max_length=6, **changed)
    found = run(greedy_search, TableModel(photos=20, seed=1), 20, settings)
    captions = [stripped(row) for row in found.tokens[:, 0]]
    # The last token is <end> whatever it costs.
    assert all(allows(c) for c in captions if len(c) < 5)
    assert len({*captions}) > 1


def test_a_narrow_beam_holds_the_words_asked_for():
    settings = ResolvedDecoding(beam_width=2, max_length=9, with_words=("runs", "dog"))
    found = run(beam_search, TableModel(photos=12, seed=2), 12, settings)
    for row in found.tokens.numpy().reshape(-1, 9):
        assert {DOG, RUNS, END} <= {*row}


def test_progress_falls_back_to_what_still_fits():
    # "a a dog": after "a a", one more "a" leaves "a a" done, "runs" nothing.
    table = build_word_table((A, A, DOG), len(WORDS))
    assert table[:, A].tolist() == [1, 2, 2, 3]
    assert table[:, DOG].tolist() == [0, 0, 3, 3]
    assert table[:, RUNS].tolist() == [0, 0, 0, 3]


def test_words_in_pieces_are_phrases():
    words = Vocabulary([*WORDS.tokens[:4], "a", "dog", "##s"])
    settings = ResolvedDecoding(
        without_words=("dogs",), with_words=("a",), max_length=9
    )
    assert LogitsProcessor.of(settings, words, PIECES).unwanted == ((5, 6),)
    assert ConstraintAutomaton.of(settings, words, PIECES).states == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"with_words": ("dogg",)},
            r"with_words: 'dogg' is not in the model's vocabulary of 7 tokens.*: ?dog"
            r"|'dogg' .* near it are dog",
        ),
        ({"without_words": ("a cat",)}, "without_words: 'a cat' is not in the model's"),
        ({"with_words": ("<unk>",)}, "'<unk>' is not in the model's vocabulary"),
        ({"with_words": ("",)}, "'' is not in the model's vocabulary"),
        (
            {"with_words": ("dog",), "without_words": ("a", "dog")},
            r"'dog' is ruled out by decoding.without_words \(a, dog\)",
        ),
        (
            {"with_words": ("a dog", "runs a"), "max_length": 5},
            "are 4 tokens, but decoding.max_length 5 leaves room for 3",
        ),
        ({"with_words": ("a", "dog", "runs") * 2, "max_length": 20}, "need 64 beams"),
    ],
)
def test_words_that_cannot_be(settings, message):
    with pytest.raises(UserError, match=message):
        check_words(ResolvedDecoding(**{"max_length": 9} | settings), WORDS, None)
