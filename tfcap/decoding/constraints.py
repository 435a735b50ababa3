"""Words that a caption must hold, as a finite automaton over its tokens.

Source: Anderson, Fernando, Johnson and Gould, "Guided Open Vocabulary Image Captioning
with Constrained Beam Search", EMNLP 2017: a beam for each state of the automaton, so
that captions that already hold the words need not compete with those that do not.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from records.errors import UserError
from records.text.tokenizer_config import TokenizerSettings
from records.text.vocabulary import END_ID, Vocabulary
from tfcap.config.experiment import DecodingConfig
from tfcap.decoding.logits_processors import LogitsProcessor, token_ids
from tfcap.decoding.output import MASKED_LOGIT

MOST_STATES = 32


@dataclass(frozen=True)
class ConstraintAutomaton:
    """The automaton.

    Attributes:
        following: int32 [states, vocabulary], the state after a token. State 0 is that
            of `<start>`, the last one that of captions that hold all the words.
    """

    transitions: np.ndarray

    @classmethod
    def of(
        cls,
        config: DecodingConfig,
        vocabulary: Vocabulary,
        tokenizer: TokenizerSettings | None = None,
    ) -> "ConstraintAutomaton":
        """The automaton of a configuration's `with_words`; one state without any.

        Raises:
            UserError: a word is not in the vocabulary, or barred by another setting;
                the words are too many, or longer together than a caption may be.
        """
        key = "decoding.with_words"
        words = [token_ids(w, vocabulary, tokenizer, key) for w in config.with_words]
        check_possible(words, config, LogitsProcessor.of(config, vocabulary, tokenizer))
        return cls(build_transitions(words, len(vocabulary)))

    @property
    def states(self) -> int:
        return len(self.transitions)

    def mask_for_state(self, state: int) -> np.ndarray:
        """Added to logits so that only tokens that lead to `state` go on.

        float32 [states, vocabulary], by the state before; `<end>` never goes on.
        """
        added = np.where(self.transitions == state, 0, MASKED_LOGIT).astype(np.float32)
        added[:, END_ID] = MASKED_LOGIT
        return added


def build_transitions(words: Sequence[Sequence[int]], vocabulary: int) -> np.ndarray:
    """The automaton of all words together: its states are those of each, combined."""
    if not words:
        return np.zeros([1, vocabulary], np.int32)
    tables = [build_word_table(word, vocabulary) for word in words]
    sizes = [len(table) for table in tables]
    return np.stack(
        [
            np.ravel_multi_index([t[p] for t, p in zip(tables, place)], sizes)
            for place in np.ndindex(*sizes)
        ]
    ).astype(np.int32)


def build_word_table(word: Sequence[int], vocabulary: int) -> np.ndarray:
    """How much of one word stands at the end after a token, int32 [length + 1, v].

    Once all of it was there it stays so.
    """
    length = len(word)
    table = np.zeros([length + 1, vocabulary], np.int32)
    table[length] = length
    for done in range(length):
        for token in set(word):
            seen = [*word[:done], token]
            starts = (n for n in range(done + 1, -1, -1) if ends(seen, word[:n]))
            table[done, token] = next(starts)
    return table


def ends(tokens: Sequence[int], end: Sequence[int]) -> bool:
    return tokens[len(tokens) - len(end) :] == list(end)


def check_possible(
    words: Sequence[Sequence[int]], config: DecodingConfig, rules: LogitsProcessor
) -> None:
    """Raises UserError where no caption could hold all the words."""
    named = ", ".join(config.with_words)
    barred = set(rules.never), rules.unwanted
    for text, ids in zip(config.with_words, words):
        parts = {ids[a:b] for a, b in itertools.combinations(range(len(ids) + 1), 2)}
        if barred[0] & set(ids) or parts & set(barred[1]):
            raise UserError(
                f"decoding.with_words: {text!r} is ruled out by decoding.without_words "
                f"({', '.join(config.without_words)}); take it out of one of them"
            )
    room = (config.max_length or np.inf) - 2
    if sum(map(len, words)) > room:
        raise UserError(
            f"decoding.with_words: {named} are {sum(map(len, words))} tokens, but "
            f"decoding.max_length {config.max_length} leaves room for {room}"
        )
    states = int(np.prod([len(ids) + 1 for ids in words]))
    if states > MOST_STATES:
        raise UserError(
            f"decoding.with_words: {named} need {states} beams (twice as many with "
            f"each word), the most is {MOST_STATES}; ask for fewer words"
        )
