"""Bans tokens, in all searches."""

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
    """Masks the logits of banned tokens.

    Attributes:
        size: Number of tokens in the vocabulary.
        never: Banned tokens: `<pad>`, `<start>`, `<unk>` and unwanted words.
        unwanted: Banned sequences of two tokens or more: phrases, and words that are
            split into pieces.
        min_length: Fewest tokens of a caption, `<start>` and `<end>` included.
        ngram: N-grams of this size may not repeat in a caption; 0 turns the rule off.
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
        """Returns the processor of a configuration.

        Raises:
            UserError: An unwanted word is not in the vocabulary.
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
        """Lowers the logits of banned tokens far below all others.

        Args:
            logits: Logits of the token at position `t`, float32 [rows, vocabulary].
            tokens: The captions before it, int32 [rows, length].
            t: The position, int32 [].
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
        """The mask to add to logits, float32 [vocabulary]."""
        mask = np.zeros(self.size, np.float32)
        mask[list(self.never)] = MASKED_LOGIT
        return mask

    @property
    def banned_mask_before_min_length(self) -> np.ndarray:
        """The mask for positions where `<end>` must not come yet."""
        mask = self.banned_mask
        mask[END_ID] = MASKED_LOGIT
        return mask


def mask_completion(
    logits: tf.Tensor, tokens: tf.Tensor, t: tf.Tensor, ids: Sequence[int]
) -> tf.Tensor:
    """Masks the last token of `ids` where the others directly precede position `t`."""
    before = len(ids) - 1
    recent = last_tokens(tokens, t, before)
    complete = tf.reduce_all(recent == ids[:-1], 1)
    mask = tf.one_hot(ids[-1], tf.shape(logits)[1], MASKED_LOGIT, 0.0)
    return logits + tf.where(complete, 1.0, 0.0)[:, tf.newaxis] * mask


def mask_repetition(
    logits: tf.Tensor, tokens: tf.Tensor, t: tf.Tensor, n: int
) -> tf.Tensor:
    """Masks each token that would repeat an n-gram of the caption.

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
        for i in range(n - 1):
            same &= tokens[:, i : i + starts] == recent[:, i, tf.newaxis]
    # The token that follows must have been written: positions up to t - 1.
    same &= tf.range(n - 1, length) < t
    matches = tf.where(same)
    next_tokens = tf.gather_nd(tokens[:, n - 1 :], matches)
    banned = tf.stack([tf.cast(matches[:, 0], tf.int32), next_tokens], 1)
    return tf.tensor_scatter_nd_min(
        logits, banned, tf.fill([tf.shape(banned)[0]], MASKED_LOGIT)
    )


def last_tokens(tokens: tf.Tensor, t: tf.Tensor, count: int) -> tf.Tensor:
    """Returns the `count` tokens before position `t`, -1 where there is none."""
    padded = tf.pad(tokens, [[0, 0], [count, 0]], constant_values=-1)
    return padded[:, t : t + count]


def token_ids(
    words: str, vocabulary: Vocabulary, tokenizer: TokenizerSettings | None, key: str
) -> tuple[int, ...]:
    """Returns the tokens of a word or of several words separated by spaces.

    Args:
        words: The text.
        vocabulary: The model's vocabulary.
        tokenizer: Its tokenizer; None splits at spaces.
        key: The configuration's key, for messages.

    Raises:
        UserError: A word is not in the vocabulary. The message names similar ones.
    """
    tokens = words.split()
    if tokenizer:
        # The text is tokenized now, even while a graph is traced.
        with tf.init_scope():
            splitter = Tokenizer(tokenizer)
            (tokens,) = splitter.tokens(splitter.words([words]), vocabulary)
    known = set(vocabulary.tokens[END_ID + 1 + vocabulary.has_unknown :])
    unknown = [token for token in tokens if token not in known]
    if unknown or not tokens:
        near = suggest(words.lower(), sorted(known), most=3)
        hint = f"; near it are {', '.join(near)}" if near else ""
        raise UserError(
            f"{key}: {words!r} is not in the model's vocabulary of {len(vocabulary)} "
            f"tokens, so that no caption can hold it{hint}"
        )
    return tuple(vocabulary.encode(tokens)[1:-1])
