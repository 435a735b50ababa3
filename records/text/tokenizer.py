"""Converts captions to words, words to tokens and tokens to text.

    "A dog's toy ." ─words─▶ a dogs toy ─tokens─▶ a dog ##s toy ─texts─▶ " a dogs toy"

The words are the same for every kind of token and in every script:

    invisible characters (Cf, Cc)        deleted
    apostrophes and quotation marks      deleted, inside words as well: man’s -> mans
    other punctuation outside ASCII      separates words: runs—fast -> runs fast
    ASCII punctuation                    deleted inside words too: t-shirt -> tshirt
    Unicode white space                  separates words
    all other characters                 normal form NFKC, lower case

The kind `word` keeps words of letters and their combining marks. It drops words with a
digit or a symbol. `Tokenizer.split` returns both, so that dropped words can be counted.

Scoring normalises captions and references differently
(`tfcap.metrics.scoring.normalize`). BERT's splitting, which is usual before wordpieces,
is not used: it makes a token of each punctuation mark, so a decoded caption would read
"dog ' s" where the references have "dogs".

Splitting into words needs no vocabulary, because the vocabulary is built from the
counts of the words. Tokens and texts need one.
"""

import functools
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf

from records.errors import UserError
from records.text.subwords import KINDS, SPACE
from records.text.tokenizer_config import TokenizerSettings
from records.text.vocabulary import END, PAD, START, UNK, Vocabulary

ASCII_PUNCTUATION = r"[!-/:-@\[-`{-~]"
# Control and format characters except white space.
INVISIBLE = r"[\p{Cf}\x00-\x08\x0E-\x1F\x7F-\x84\x86-\x9F]"
# Unicode's property Quotation_Mark, characters used as an apostrophe (acute accent,
# modifier letters, primes, full-width grave accent, Hebrew geresh and gershayim), and
# the marks that Armenian writes inside words.
QUOTES = (
    r"[\x{AB}\x{BB}\x{2018}-\x{201F}\x{2039}\x{203A}\x{2E42}\x{300C}-\x{300F}"
    r"\x{301D}-\x{301F}\x{FE41}-\x{FE44}\x{FF02}\x{FF07}\x{FF62}\x{FF63}"
    r"\x{B4}\x{02BB}-\x{02BD}\x{2032}-\x{2037}\x{FF40}\x{05F3}\x{05F4}"
    r"\x{055A}-\x{055C}\x{055E}]"
)
PUNCTUATION = r"[^\P{P}!-~]"  # outside ASCII
WHITE_SPACE = r"[\t-\r\x{85}\p{Z}]"
SILENT = {PAD, START, END}
NOT_LEARNT = SILENT | {UNK, SPACE}


class SplitCaptions(NamedTuple):
    """Captions split into words, each of them kept or dropped.

    Attributes:
        kept, dropped: words of each caption, in order.
        total: number of words of all captions, kept and dropped.
    """

    kept: list[list[str]]
    dropped: list[list[str]]
    total: int


@functools.cache
def word_graph(
    min_letters: int | None,
) -> Callable[[tf.Tensor], tuple[tf.RaggedTensor, tf.RaggedTensor, tf.Tensor]]:
    """Returns a graph that splits captions into words.

    Args:
        min_letters: drops words of fewer letters, and words with a character that is
            neither a Unicode letter nor a combining mark, as the T81-558 10.4 notebook
            does; None keeps all. A letter with its marks counts as one.

    Returns:
        A function from captions, string [batch], to the words kept and the words
        dropped, both ragged string [batch, words], and their number.
    """
    import tensorflow_text as tf_text  # registers its ops; only this layer needs it

    wanted = rf"\p{{M}}*(?:\p{{L}}\p{{M}}*){{{min_letters},}}" if min_letters else ".+"
    replace = tf.strings.regex_replace

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def split(
        captions: tf.Tensor,
    ) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.Tensor]:
        # This comes first: the next operations would end a caption at a zero byte.
        text = replace(captions, INVISIBLE, "")
        # This comes before NFKC, which turns some into ASCII: "…" would be "...".
        text = replace(replace(text, QUOTES, ""), PUNCTUATION, " ")
        text = tf_text.normalize_utf8(text, "NFKC")
        text = tf.strings.lower(text, encoding="utf-8")
        # A second time: NFKC turns "ŀ" into a middle dot and some accents into spaces.
        text = replace(replace(text, PUNCTUATION, " "), WHITE_SPACE, " ")
        words = tf.strings.split(replace(text, ASCII_PUNCTUATION, ""))
        keep = tf.strings.regex_full_match(words.flat_values, wanted)
        keep = words.with_flat_values(keep)
        return (
            tf.ragged.boolean_mask(words, keep),
            tf.ragged.boolean_mask(words, tf.logical_not(keep)),
            tf.size(words.flat_values),
        )

    return split


def why_dropped(word: str) -> str:
    """Returns the reason why the kind `word` drops a word.

    >>> [why_dropped(word) for word in ("2nd", "c€", "a")]
    ['digit', 'symbol', 'too_short']
    """
    kinds = {unicodedata.category(character)[0] for character in word}
    if "N" in kinds:
        return "digit"
    return "too_short" if kinds <= {"L", "M"} else "symbol"


class Tokenizer:
    """A converter of captions, words and tokens, with a record set's settings.

    >>> from collections import Counter
    >>> from records import Tokenizer
    >>> from records.text.tokenizer_config import TokenizerSettings
    >>> settings = TokenizerSettings(kind="word", min_letters=1, min_count=1, oov="unk")
    >>> tokenizer = Tokenizer(settings)
    >>> (words,) = tokenizer.words(["A dog's ball , 2 of them ."])
    >>> words
    ['a', 'dogs', 'ball', 'of', 'them']
    >>> vocabulary = tokenizer.build_vocabulary(Counter(words))
    >>> tokenizer.tokens([words], vocabulary)
    [['a', 'dogs', 'ball', 'of', 'them']]
    """

    def __init__(self, settings: TokenizerSettings):
        self.settings = settings
        self.kind = KINDS[settings.kind]

    @functools.cached_property
    def graph(self) -> Callable[[tf.Tensor], tuple]:
        return word_graph(self.settings.min_letters)

    def split(self, captions: Sequence[str]) -> SplitCaptions:
        """Splits a batch of captions into words, kept and dropped."""
        kept, dropped, total = self.graph(tf.constant(list(captions), tf.string))
        return SplitCaptions(decoded(kept), decoded(dropped), int(total))

    def words(self, captions: Sequence[str]) -> list[list[str]]:
        """Returns the kept words of each caption; the list may be empty."""
        return self.split(captions).kept

    def build_vocabulary(self, counts: Mapping[str, int]) -> Vocabulary:
        """Returns the vocabulary, which does not depend on the order of the counts.

        Args:
            counts: word of the training captions -> number of occurrences.

        Raises:
            UserError: nothing is frequent enough, or `vocabulary_size` is too small.
        """
        vocabulary = (
            self.kind.build_vocabulary(counts, self.settings) if counts else None
        )
        if not vocabulary or NOT_LEARNT.issuperset(vocabulary.tokens):
            raise UserError(
                f"nothing in the {len(counts)} distinct words of the training captions "
                f"occurs {self.settings.min_count} times or more, so the vocabulary is "
                f"empty: the commonest word occurs {max(counts.values(), default=0)} "
                "times. Check the training list, or lower tokenizer.min_count"
            )
        return vocabulary

    def tokens(
        self, captions: Iterable[Sequence[str]], vocabulary: Vocabulary
    ) -> list[list[str]]:
        """Returns the tokens of each caption, out-of-vocabulary ones included.

        Args:
            captions: the words of each.
            vocabulary: built by `build_vocabulary`.
        """
        return self.kind.tokenize(captions, vocabulary)

    def texts(self, vocabulary: Vocabulary) -> list[str]:
        """Returns the text that each token adds to a caption, by id.

        Special tokens add nothing. The joined texts are the caption, except for spaces
        at its ends.
        """
        return [
            "" if token in SILENT else self.kind.text(token)
            for token in vocabulary.tokens
        ]


def decoded(rows: tf.RaggedTensor) -> list[list[str]]:
    return [[word.decode() for word in row] for row in rows.to_list()]
