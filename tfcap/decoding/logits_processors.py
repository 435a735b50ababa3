"""Which tokens may come next, whatever the search."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from records.console import suggest
from records.errors import UserError
from records.text.tokenizer import Tokenizer
from records.text.tokenizer_config import TokenizerSettings
from records.text.vocabulary import END_ID, PAD_ID, START_ID, UNK_ID, Vocabulary
from tfcap.config.decoding import DecodingConfig
from tfcap.decoding.output import MASKED_LOGIT


@dataclass(frozen=True)
class LogitsProcessor:
    """What no caption may hold.

    Attributes:
        size: of the vocabulary.
        never: tokens that never come: `<pad>`, `<start>`, `<unk>` and unwanted words.
        unwanted: sequences of two tokens or more that never come: phrases, and words
            in pieces.
        min_length: no `<end>` before a caption is so long, `<start>` and it included.
        ngram: no so many tokens in succession occur twice; 0 for no such rule.
    """

    size: int
    never: tuple[int, ...] = ()
    unwanted: tuple[tuple[int, ...], ...] = ()
    min_length: int = 2
    ngram: int = 0

    @classmethod
    def of(
        cls,
        config: DecodingConfig,
        vocabulary: Vocabulary,
        tokenizer: TokenizerSettings | None = None,
    ) -> "LogitsProcessor":
        """Those of a configuration.

        Raises:
            UserError: an unwanted word is not in the vocabulary.
        """
        special = [PAD_ID, START_ID, *([UNK_ID] if vocabulary.has_unknown else [])]
        key = "decoding.without_words"
        unwanted = [
            token_ids(word, vocabulary, tokenizer, key) for word in config.without_words
        ]
        return cls(
            size=len(vocabulary),
            never=(*special, *(ids[0] for ids in unwanted if len(ids) == 1)),
            unwanted=tuple(ids for ids in unwanted if len(ids) > 1),
            min_length=config.min_length,
            ngram=config.no_repeat_ngram or 0,
        )

    def apply(self, logits: tf.Tensor, tokens: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
        """Puts what may not come next far below all else.

        Args:
            logits: float32 [rows, vocabulary], of the token at place `t`.
            tokens: int32 [rows, length], those before it.
        """
        logits += tf.where(
            t + 1 < self.min_length,
            self.banned_mask_before_min_length,
            self.banned_mask,
        )
        for ids in self.unwanted:
            logits = mask_completion(logits, tokens, t, ids)
        return mask_repetition(logits, tokens, t, self.ngram) if self.ngram else logits

    @property
    def banned_mask(self) -> np.ndarray:
        """What is added to logits, float32 [vocabulary]."""
        added = np.zeros(self.size, np.float32)
        added[list(self.never)] = MASKED_LOGIT
        return added

    @property
    def banned_mask_before_min_length(self) -> np.ndarray:
        """The same where `<end>` may not come yet."""
        added = self.banned_mask
        added[END_ID] = MASKED_LOGIT
        return added


def mask_completion(
    logits: tf.Tensor, tokens: tf.Tensor, t: tf.Tensor, ids: Sequence[int]
) -> tf.Tensor:
    """Bars the last of `ids` where the others stand right before place `t`."""
    before = len(ids) - 1
    recent = last_tokens(tokens, t, before)
    complete = tf.reduce_all(recent == ids[:-1], 1)
    barred = tf.one_hot(ids[-1], tf.shape(logits)[1], MASKED_LOGIT, 0.0)
    return logits + tf.where(complete, 1.0, 0.0)[:, tf.newaxis] * barred


def mask_repetition(
    logits: tf.Tensor, tokens: tf.Tensor, t: tf.Tensor, n: int
) -> tf.Tensor:
    """Bars each token that would make n tokens in succession that are there before.

    Source: Paulus, Xiong and Socher, "A Deep Reinforced Model for Abstractive
    Summarization", 2018, section 2.5.
    """
    length = tokens.shape[1]
    if length <= n:
        return logits
    starts = length - n + 1
    same = tf.ones([tf.shape(tokens)[0], starts], tf.bool)
    if n > 1:
        recent = last_tokens(tokens, t, n - 1)
        for place in range(n - 1):
            same &= tokens[:, place : place + starts] == recent[:, place, tf.newaxis]
    # What follows must have been written: places up to t - 1.
    same &= tf.range(n - 1, length) < t
    places = tf.where(same)
    follows = tf.gather_nd(tokens[:, n - 1 :], places)
    barred = tf.stack([tf.cast(places[:, 0], tf.int32), follows], 1)
    return tf.tensor_scatter_nd_min(
        logits, barred, tf.fill([tf.shape(barred)[0]], MASKED_LOGIT)
    )


def last_tokens(tokens: tf.Tensor, t: tf.Tensor, count: int) -> tf.Tensor:
    """The `count` tokens before place `t`, int32 [rows, count]; -1 before the first."""
    padded = tf.pad(tokens, [[0, 0], [count, 0]], constant_values=-1)
    return padded[:, t : t + count]


def token_ids(
    words: str, vocabulary: Vocabulary, tokenizer: TokenizerSettings | None, key: str
) -> tuple[int, ...]:
    """A word, or several with spaces between, as a model writes them.

    Args:
        key: of the configuration, for messages.

    Raises:
        UserError: one of them is not in the vocabulary; names the nearest that are.
    """
    tokens = words.split()
    if tokenizer:
        # Words are read as they are now, also where a graph is being made.
        with tf.init_scope():
            maker = Tokenizer(tokenizer)
            (tokens,) = maker.tokens(maker.words([words]), vocabulary)
    known = set(vocabulary.tokens[END_ID + 1 + vocabulary.has_unknown :])
    strange = [token for token in tokens if token not in known]
    if strange or not tokens:
        near = suggest(words.lower(), sorted(known), most=3)
        hint = f"; near it are {', '.join(near)}" if near else ""
        raise UserError(
            f"{key}: {words!r} is not in the model's vocabulary of {len(vocabulary)} "
            f"tokens, so that no caption can hold it{hint}"
        )
    return tuple(vocabulary.encode(tokens)[1:-1])
