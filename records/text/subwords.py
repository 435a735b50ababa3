"""Segmentation of words into tokens: whole words, pieces or characters.

    kind        tokens of "two dogs run"             text of a token
    word        two  dogs  run                       a space and the word
    wordpiece   two  dog  ##s  run                   a space and it, or what is after ##
    char        t w o <space> d o g s <space> r ...  the character

The texts of a caption's tokens, concatenated, are the caption.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import tensorflow as tf

from records.errors import UserError
from records.text.tokenizer_config import TokenizerSettings
from records.text.vocabulary import Vocabulary, special_tokens

INSIDE = "##"  # prefix of a piece inside a word
SPACE = "<space>"  # no other token is this one: words contain neither < nor >


class Segmenter:
    """A kind of token, by itself the kind whose tokens are the words.

    It builds the vocabulary, and converts words to tokens and tokens to text.
    """

    def build_vocabulary(
        self, counts: Mapping[str, int], settings: TokenizerSettings
    ) -> Vocabulary:
        """Returns the vocabulary, which does not depend on the order of the counts.

        Args:
            counts: words of the training captions and how often they occur.
            settings: of this kind.

        Raises:
            UserError: the settings do not fit the words.
        """
        return Vocabulary.from_counts(
            counts, settings.min_count, settings.keeps_unknown
        )

    def tokenize(
        self, captions: Iterable[Sequence[str]], vocabulary: Vocabulary
    ) -> list[list[str]]:
        """Returns the tokens of each caption; some may be out of the vocabulary.

        Args:
            captions: the words of each.
            vocabulary: of the record set.
        """
        return [list(words) for words in captions]

    def text(self, token: str) -> str:
        """Returns the text that a token adds to a caption.

        Spaces at the ends of a whole caption have no meaning.
        """
        return f" {token}"


class WordpieceSegmenter(Segmenter):
    """A segmenter that takes the longest piece of the vocabulary, left to right.

    Pieces inside a word begin with `##`. A word that cannot be composed of pieces stays
    whole, and is out of the vocabulary.

    Source: Schuster and Nakajima, "Japanese and Korean Voice Search", ICASSP 2012. The
    learner is tensorflow-text's, which works top-down. It keeps substrings that are
    frequent enough after the counts of longer kept substrings are subtracted, and
    bisects for the frequency whose result is nearest to `vocabulary_size`. It is plain
    Python in one process and takes about 10 seconds for 8,000 distinct words.

    The vocabulary lists single characters first, sorted, then pieces by falling count.
    """

    def build_vocabulary(
        self, counts: Mapping[str, int], settings: TokenizerSettings
    ) -> Vocabulary:
        size = settings.vocabulary_size
        assert size is not None  # the settings require it for this kind
        special = special_tokens(settings.keeps_unknown)
        pieces = learn_pieces(counts, size - len(special), settings.min_count)
        characters = sorted(piece for piece in pieces if len(bare(piece)) == 1)
        longer = [piece for piece in pieces if len(bare(piece)) > 1]
        needed = len(special) + len(characters)
        if needed > size:
            raise UserError(
                f"tokenizer.vocabulary_size: {size} is too small: the characters of "
                "the training captions, each at the beginning of words and inside, and "
                f"the special tokens are {needed}; set it higher than that"
            )
        # The learner may return more than `size`; the rarest pieces are left out.
        return Vocabulary([*special, *characters, *longer[: size - needed]])

    def tokenize(
        self, captions: Iterable[Sequence[str]], vocabulary: Vocabulary
    ) -> list[list[str]]:
        captions = list(captions)
        distinct = sorted({word for words in captions for word in words})
        pieces = dict(zip(distinct, cut_words(distinct, vocabulary), strict=True))
        return [[p for word in words for p in pieces[word]] for words in captions]

    def text(self, token: str) -> str:
        return bare(token) if token.startswith(INSIDE) else f" {token}"


class CharacterSegmenter(Segmenter):
    """A segmenter whose tokens are Unicode characters, with `<space>` between words.

    The vocabulary lists `<space>` first, then characters by falling count.
    """

    def build_vocabulary(
        self, counts: Mapping[str, int], settings: TokenizerSettings
    ) -> Vocabulary:
        characters: Counter[str] = Counter()
        for word, count in counts.items():
            for character in word:
                characters[character] += count
        return Vocabulary.from_counts(
            characters, settings.min_count, settings.keeps_unknown, first=[SPACE]
        )

    def tokenize(
        self, captions: Iterable[Sequence[str]], vocabulary: Vocabulary
    ) -> list[list[str]]:
        return [
            [SPACE if c == " " else c for c in " ".join(words)] for words in captions
        ]

    def text(self, token: str) -> str:
        return " " if token == SPACE else token


def learn_pieces(counts: Mapping[str, int], size: int, min_count: int) -> list[str]:
    """Returns about `size` pieces, every character among them.

    Pieces longer than a character are in falling order of count. There may be more than
    `size`, so the caller must cut the list.
    """
    from tensorflow_text.tools.wordpiece_vocab import (
        wordpiece_tokenizer_learner_lib as learner,
    )

    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return learner.learn(
        ordered, size, reserved_tokens=[], lower_thresh=min_count, joiner=INSIDE
    )


def cut_words(words: Sequence[str], vocabulary: Vocabulary) -> list[list[str]]:
    """Returns the pieces of each word; a word without pieces is its only piece."""
    import tensorflow_text as tf_text

    ids = tf.range(len(vocabulary), dtype=tf.int64)
    tokens = tf.constant(vocabulary.tokens)
    initializer = tf.lookup.KeyValueTensorInitializer(tokens, ids)
    tokenizer = tf_text.WordpieceTokenizer(
        tf.lookup.StaticVocabularyTable(initializer, num_oov_buckets=1),
        suffix_indicator=INSIDE,
        # Time is linear in the length of a word, so no word needs to be refused.
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
    "word": Segmenter(),
    "wordpiece": WordpieceSegmenter(),
    "char": CharacterSegmenter(),
}
