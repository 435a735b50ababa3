"""Captions to tokens: a TensorFlow graph over batches of captions."""

from collections.abc import Callable, Sequence
from typing import Literal

import tensorflow as tf
from pydantic import BaseModel, ConfigDict, Field

ASCII_PUNCTUATION = r"[!-/:-@\[-`{-~]"


class TokenizerSettings(BaseModel):
    """How captions become tokens, as kept in the manifest.

    Attributes:
        kind: `word`: lower case, ASCII punctuation deleted, cut at white space; words
            with a character that is not a letter are dropped.
        min_letters: shorter words are dropped (2 in the Heaton notebook).
        min_count: words seen fewer times in the training captions are left out of
            the vocabulary.
        oov: words out of the vocabulary become `<unk>` or are dropped.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: Literal["word"]
    min_letters: int = Field(ge=1)
    min_count: int = Field(ge=1)
    oov: Literal["unk", "drop"]


def word_graph(min_letters: int) -> Callable[[tf.Tensor], tf.RaggedTensor]:
    """Returns a graph: captions, string [batch] -> words, ragged string [batch, words].

    Follows the T81-558 10.4 notebook: lower case, `string.punctuation` deleted inside
    words as well ("dog's" -> "dogs"), then words that are too short or hold anything
    but letters are dropped. Letters are Unicode letters; text is first brought to
    normal form NFKC.
    """
    import tensorflow_text as tf_text  # registers its ops; only this layer needs it

    splitter = tf_text.WhitespaceTokenizer()
    wanted = rf"\p{{L}}{{{min_letters},}}"

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def tokenize(captions: tf.Tensor) -> tf.RaggedTensor:
        text = tf_text.normalize_utf8(captions, "NFKC")
        text = tf.strings.lower(text, encoding="utf-8")
        text = tf.strings.regex_replace(text, ASCII_PUNCTUATION, "")
        words = splitter.tokenize(text)
        keep = tf.strings.regex_full_match(words.flat_values, wanted)
        return tf.ragged.boolean_mask(words, words.with_flat_values(keep))

    return tokenize


class Tokenizer:
    """Captions to tokens in batches.

    >>> words = TokenizerSettings(kind="word", min_letters=1, min_count=1, oov="unk")
    >>> Tokenizer(words)(["A dog's ball , 2 of them ."])
    [['a', 'dogs', 'ball', 'of', 'them']]
    """

    def __init__(self, settings: TokenizerSettings):
        self.settings = settings
        self.graph = word_graph(settings.min_letters)

    def __call__(self, captions: Sequence[str]) -> list[list[str]]:
        """Tokenizes a batch of captions; an empty list where nothing is left of one."""
        rows = self.graph(tf.constant(list(captions), tf.string)).to_list()
        return [[token.decode() for token in row] for row in rows]
