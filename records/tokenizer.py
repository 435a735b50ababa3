"""Captions to words, words to tokens, tokens to text, by the settings of a record set.

    "A dog's toy ." ─words─▶ a dogs toy ─tokens─▶ a dog ##s toy ─texts─▶ " a dogs toy"

Words are the same for every kind of token: invisible characters deleted, normal form
NFKC, lower case, ASCII punctuation deleted inside words as well, cut at white space.
The kind `word` then drops those with a digit or a sign.

Captions and references are scored after the same steps (`tfcap.metrics.normalize`). The
splitting of BERT, usual before wordpieces, makes a token of each punctuation mark: a
caption put together again would read "dog ' s" where the references have "dogs".

Words can be had before there is a vocabulary, which is learnt from their counts; tokens
and texts need it.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence

import tensorflow as tf

from records.errors import UserError
from records.token_kinds import KINDS, SPACE
from records.tokenizer_settings import TokenizerSettings
from records.vocabulary import END, PAD, START, UNK, Vocabulary

ASCII_PUNCTUATION = r"[!-/:-@\[-`{-~]"
# Control and format characters, but white space.
INVISIBLE = r"[\p{Cf}\x00-\x08\x0E-\x1F\x7F-\x84\x86-\x9F]"
SILENT = {PAD, START, END}
NOT_LEARNT = SILENT | {UNK, SPACE}


@functools.cache
def word_graph(min_letters: int | None) -> Callable[[tf.Tensor], tf.RaggedTensor]:
    """Returns a graph: captions, string [batch] -> words, ragged string [batch, words].

    Args:
        min_letters: words shorter than that, or with a character that is not a Unicode
            letter, are dropped, as in the T81-558 10.4 notebook; None keeps all.
    """
    import tensorflow_text as tf_text  # registers its ops; only this layer needs it

    splitter = tf_text.WhitespaceTokenizer()
    wanted = rf"\p{{L}}{{{min_letters},}}" if min_letters else ".+"

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def split(captions: tf.Tensor) -> tf.RaggedTensor:
        # First of all: what comes after would end a caption at a zero byte.
        text = tf.strings.regex_replace(captions, INVISIBLE, "")
        text = tf_text.normalize_utf8(text, "NFKC")
        text = tf.strings.lower(text, encoding="utf-8")
        text = tf.strings.regex_replace(text, ASCII_PUNCTUATION, "")
        words = splitter.tokenize(text)
        keep = tf.strings.regex_full_match(words.flat_values, wanted)
        return tf.ragged.boolean_mask(words, words.with_flat_values(keep))

    return split


class Tokenizer:
    """See the module.

    >>> settings = TokenizerSettings(
    ...     kind="wordpiece", vocabulary_size=4000, min_count=2, oov="unk"
    ... )
    >>> tokenizer = Tokenizer(settings)
    >>> words = tokenizer.words(["A dog's ball , 2 of them ."])
    >>> words
    [['a', 'dogs', 'ball', '2', 'of', 'them']]
    >>> vocabulary = tokenizer.learn(counts_of_training_words)
    >>> tokenizer.tokens(words, vocabulary)
    [['a', 'dog', '##s', 'ball', '2', 'of', 'them']]
    """

    def __init__(self, settings: TokenizerSettings):
        self.settings = settings
        self.kind = KINDS[settings.kind]

    @functools.cached_property
    def graph(self) -> Callable[[tf.Tensor], tf.RaggedTensor]:
        return word_graph(self.settings.min_letters)

    def words(self, captions: Sequence[str]) -> list[list[str]]:
        """Words of a batch of captions; an empty list where nothing is left of one."""
        rows = self.graph(tf.constant(list(captions), tf.string)).to_list()
        return [[word.decode() for word in row] for row in rows]

    def learn(self, counts: Mapping[str, int]) -> Vocabulary:
        """The vocabulary, a function of the counts alone and not of their order.

        Args:
            counts: words of the training captions and how often they occur.

        Raises:
            UserError: nothing is frequent enough, or `vocabulary_size` is too small.
        """
        vocabulary = self.kind.learn(counts, self.settings) if counts else None
        if not vocabulary or NOT_LEARNT.issuperset(vocabulary.tokens):
            raise UserError(
                f"nothing in the {len(counts)} distinct words of the training captions "
                f"occurs {self.settings.min_count} times or more, so the vocabulary is "
                "empty; check the training list, or lower tokenizer.min_count"
            )
        return vocabulary

    def tokens(
        self, captions: Iterable[Sequence[str]], vocabulary: Vocabulary
    ) -> list[list[str]]:
        """Words of captions to tokens; those that the vocabulary lacks are kept."""
        return self.kind.cut(captions, vocabulary)

    def texts(self, vocabulary: Vocabulary) -> list[str]:
        """What each token adds to a caption's text, by id; those of padding, nothing.

        Joined, they are the caption, but for spaces at its ends.
        """
        return [
            "" if token in SILENT else self.kind.text(token)
            for token in vocabulary.tokens
        ]
