"""What the words of captions are cut into: nothing smaller, pieces or characters.

    kind        tokens of "two dogs run"             text of a token
    word        two  dogs  run                       a space and the word
    wordpiece   two  dog  ##s  run                   a space and it, or what follows ##
    char        t w o <space> d o g s <space> r ...  itself

The text of all tokens, one after another, is the caption again.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import tensorflow as tf

from records.errors import UserError
from records.text.tokenizer_config import TokenizerSettings
from records.text.vocabulary import Vocabulary, special_tokens

INSIDE = "##"  # what pieces begin with that do not begin a word
SPACE = "<space>"  # in a caption's text there is no < or >, so it is nothing else


class Segmenter(ABC):
    """One kind of token: its vocabulary, and the way from words to tokens and back."""

    @abstractmethod
    def build_vocabulary(
        self, counts: Mapping[str, int], settings: TokenizerSettings
    ) -> Vocabulary:
        """The vocabulary, a function of the counts alone and not of their order.

        Args:
            counts: words of the training captions and how often they occur.
            settings: those of this kind.

        Raises:
            UserError: they do not fit the words.
        """

    @abstractmethod
    def tokenize(
        self, captions: Iterable[Sequence[str]], vocabulary: Vocabulary
    ) -> list[list[str]]:
        """Words of captions to tokens; some may be out of the vocabulary."""

    @abstractmethod
    def text(self, token: str) -> str:
        """What a token adds to a caption's text; spaces at its ends mean nothing."""


class WordSegmenter(Segmenter):
    """Each word is a token."""

    def build_vocabulary(self, counts, settings):
        return Vocabulary.from_counts(
            counts, settings.min_count, settings.keeps_unknown
        )

    def tokenize(self, captions, vocabulary):
        return [list(words) for words in captions]

    def text(self, token):
        return f" {token}"


class WordpieceSegmenter(Segmenter):
    """Words are made up of the longest pieces that the vocabulary has, left to right.

    Pieces within a word begin with `##`. A word that no pieces make up stays whole, and
    so is out of the vocabulary.

    Source: Schuster and Nakajima, "Japanese and Korean Voice Search", ICASSP 2012; the
    learner is tensorflow-text's, which works from the top down: of all parts of words
    those that are frequent enough, without the counts of longer ones that hold them.
    The frequency that comes nearest to `vocabulary_size` is found by bisection. It is
    plain Python in one process: some 10 seconds for 8,000 distinct words.

    In the vocabulary single characters come first, sorted, then pieces by falling
    count.
    """

    def build_vocabulary(self, counts, settings):
        size = settings.vocabulary_size
        special = special_tokens(settings.keeps_unknown)
        found = learn_pieces(counts, size - len(special), settings.min_count)
        characters = sorted(piece for piece in found if len(bare(piece)) == 1)
        longer = [piece for piece in found if len(bare(piece)) > 1]
        needed = len(special) + len(characters)
        if needed > size:
            raise UserError(
                f"tokenizer.vocabulary_size: {size} is too small: the characters of "
                "the training captions, each at the beginning of words and inside, and "
                f"the special tokens are {needed}; set it higher than that"
            )
        # The search may end above the size: what is rarest then goes.
        return Vocabulary([*special, *characters, *longer[: size - needed]])

    def tokenize(self, captions, vocabulary):
        captions = list(captions)
        distinct = sorted({word for words in captions for word in words})
        pieces = dict(zip(distinct, cut_words(distinct, vocabulary), strict=True))
        return [[p for word in words for p in pieces[word]] for words in captions]

    def text(self, token):
        return bare(token) if token.startswith(INSIDE) else f" {token}"


class CharacterSegmenter(Segmenter):
    """Each Unicode character is a token, and `<space>` between words.

    `<space>` comes first in the vocabulary, then characters by falling count.
    """

    def build_vocabulary(self, counts, settings):
        characters: Counter[str] = Counter()
        for word, count in counts.items():
            for character in word:
                characters[character] += count
        return Vocabulary.from_counts(
            characters, settings.min_count, settings.keeps_unknown, first=[SPACE]
        )

    def tokenize(self, captions, vocabulary):
        return [
            [SPACE if c == " " else c for c in " ".join(words)] for words in captions
        ]

    def text(self, token):
        return " " if token == SPACE else token


def learn_pieces(counts: Mapping[str, int], size: int, min_count: int) -> list[str]:
    """About `size` pieces, the longer ones by falling count; every character is one.

    Also beyond `size` where no frequency gives fewer, so that the caller must cut.
    """
    from tensorflow_text.tools.wordpiece_vocab import (
        wordpiece_tokenizer_learner_lib as learner,
    )

    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return learner.learn(
        ordered, size, reserved_tokens=[], lower_thresh=min_count, joiner=INSIDE
    )


def cut_words(words: Sequence[str], vocabulary: Vocabulary) -> list[list[str]]:
    """Words to pieces of the vocabulary; those that none make up stay as they are."""
    import tensorflow_text as tf_text

    ids = tf.range(len(vocabulary), dtype=tf.int64)
    tokens = tf.constant(vocabulary.tokens)
    initializer = tf.lookup.KeyValueTensorInitializer(tokens, ids)
    tokenizer = tf_text.WordpieceTokenizer(
        tf.lookup.StaticVocabularyTable(initializer, num_oov_buckets=1),
        suffix_indicator=INSIDE,
        # Long words take time in proportion, so that none needs to be refused.
        max_bytes_per_word=tf.int32.max,
        max_chars_per_token=max(len(bare(token)) for token in vocabulary.tokens),
        token_out_type=tf.string,
        unknown_token=None,
    )
    rows = tokenizer.tokenize(tf.constant(words, tf.string)).to_list()
    return [[piece.decode() for piece in row] for row in rows]


def bare(piece: str) -> str:
    return piece.removeprefix(INSIDE)


KINDS: Mapping[str, Segmenter] = {
    "word": WordSegmenter(),
    "wordpiece": WordpieceSegmenter(),
    "char": CharacterSegmenter(),
}
