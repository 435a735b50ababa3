"""Tokens put together in graph."""

from collections import Counter

import pytest
import tensorflow as tf
from table_model import WORDS

from records.text.tokenizer import Tokenizer
from records.text.vocabulary import Vocabulary
from tfcap.config.records import TokenizerConfig
from tfcap.decoding.output import detokenize
from tfcap.metrics.scoring import normalize

# Tokens after the special ones; ids of a caption after `<start>`; its text.
PUT_TOGETHER = {
    "word": (["a", "dog", "runs"], [4, 5, 6], "a dog runs"),
    "wordpiece": (["a", "dog", "##s", "##o"], [4, 5, 6, 7, 4, 7], "a dogso ao"),
    "char": (["<space>", "a", "ö"], [5, 4, 4, 6, 5, 4], "a öa"),
}


@pytest.mark.parametrize("kind", PUT_TOGETHER)
def test_tokens_are_put_together_in_graph(kind):
    tokens, ids, text = PUT_TOGETHER[kind]
    vocabulary = Vocabulary([*WORDS.tokens[:4], *tokens])
    settings = TokenizerConfig(kind=kind)
    graph = tf.function(lambda ids: detokenize(ids, vocabulary, settings))
    rows = tf.constant([[1, *ids, 2, 0, 0], [1, 2, *[0] * (len(ids) + 2)]])
    assert graph(rows).numpy().tolist() == [text.encode(), b""]


@pytest.mark.parametrize("kind", ["wordpiece", "char"])
def test_a_caption_comes_back_as_the_scorer_reads_it(kind):
    captions = [
        "Two dogs' toys , 2 dogs !",
        " Ein  Café - größer ?",
        "собака 犬",
        "!",
    ]
    tokenizer = Tokenizer(TokenizerConfig(kind=kind, min_count=1))
    words = tokenizer.words(captions)
    vocabulary = tokenizer.build_vocabulary(
        Counter(word for row in words for word in row)
    )
    ids = [vocabulary.encode(row) for row in tokenizer.tokens(words, vocabulary)]
    padded = tf.ragged.constant(ids).to_tensor()
    found = detokenize(padded, vocabulary, tokenizer.settings).numpy()
    assert [text.decode() for text in found] == [normalize(text) for text in captions]


def test_a_caption_that_begins_inside_a_word():
    vocabulary = Vocabulary([*WORDS.tokens[:4], "a", "##s"])
    settings = TokenizerConfig(kind="wordpiece")
    found = detokenize(tf.constant([[1, 5, 4, 2]]), vocabulary, settings)
    assert found.numpy().tolist() == [b"s a"]
