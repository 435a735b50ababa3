"""Finite automata over tokens that require words of a caption.

Source: Anderson, Fernando, Johnson and Gould, "Guided Open Vocabulary Image Captioning
with Constrained Beam Search", EMNLP 2017. There is a beam for each state of the
automaton, so that captions that already hold the words compete only with one another.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from records.errors import UserError
from records.text.tokenizer_config import TokenizerSettings
from records.text.vocabulary import END_ID, Vocabulary
from tfcap.config.decoding import DecodingConfig
from tfcap.decoding.logits_processors import LogitsProcessor, token_ids
from tfcap.decoding.output import MASKED_LOGIT

MOST_STATES = 32


@dataclass(frozen=True)
class ConstraintAutomaton:
    """The finite automaton of the required words.

    Attributes:
        transitions: The state after each token, int32 [states, vocabulary]. State 0 is
            that after `<start>`. Captions in the last state hold all the words.
    """

    transitions: np.ndarray

    @classmethod
    def of(
        cls,
        config: DecodingConfig,
        vocabulary: Vocabulary,
        tokenizer: TokenizerSettings | None = None,
    ) -> "ConstraintAutomaton":
        """Returns the automaton of `with_words`; without any it has one state.

        Raises:
            UserError: A word is not in the vocabulary or banned by another setting,
                there are too many words, or they are longer than a caption may be.
        """
        key = "decoding.with_words"
        words = [token_ids(w, vocabulary, tokenizer, key) for w in config.with_words]
        check_possible(words, config, LogitsProcessor.of(config, vocabulary, tokenizer))
        return cls(build_transitions(words, len(vocabulary)))

    @property
    def states(self) -> int:
        return len(self.transitions)

    def mask_for_state(self, state: int) -> np.ndarray:
        """Returns a mask to add to logits, float32 [states, vocabulary].

        It keeps only tokens that lead from the state of its row to `state`. `<end>` is
        masked, since it continues no caption.
        """
        mask = np.where(self.transitions == state, 0, MASKED_LOGIT).astype(np.float32)
        mask[:, END_ID] = MASKED_LOGIT
        return mask


def build_transitions(words: Sequence[Sequence[int]], vocabulary: int) -> np.ndarray:
    """Builds the automaton of all words together, int32 [states, vocabulary].

    Each state is one combination of a state of every word's own automaton.

    Args:
        words: Token ids of each required word.
        vocabulary: Number of tokens.
    """
    if not words:
        return np.zeros([1, vocabulary], np.int32)
    tables = [build_word_table(word, vocabulary) for word in words]
    sizes = [len(table) for table in tables]
    rows = []
    for states in np.ndindex(*sizes):
        next_states = [table[state] for table, state in zip(tables, states)]
        rows.append(np.ravel_multi_index(next_states, sizes))
    return np.stack(rows).astype(np.int32)


def build_word_table(word: Sequence[int], vocabulary: int) -> np.ndarray:
    """Builds the automaton of one word, int32 [length + 1, vocabulary].

    State n means that the last n tokens are the first n of the word, as in the
    Knuth-Morris-Pratt search. The last state is never left.
    """
    length = len(word)
    table = np.zeros([length + 1, vocabulary], np.int32)
    table[length] = length
    for state in range(length):
        for token in set(word):
            table[state, token] = longest_prefix_at_end([*word[:state], token], word)
    return table


def longest_prefix_at_end(tokens: Sequence[int], word: Sequence[int]) -> int:
    """Returns how many of the word's first tokens stand at the end of `tokens`."""
    for n in range(min(len(tokens), len(word)), 0, -1):
        if list(tokens[-n:]) == list(word[:n]):
            return n
    return 0


def check_possible(
    words: Sequence[Sequence[int]], config: DecodingConfig, processor: LogitsProcessor
) -> None:
    """Raises UserError if no caption can hold all the words."""
    check_not_banned(words, config, processor)
    listed = ", ".join(config.with_words)
    available = (config.max_length or np.inf) - 2
    if sum(map(len, words)) > available:
        raise UserError(
            f"decoding.with_words: {listed} are {sum(map(len, words))} tokens, but "
            f"decoding.max_length {config.max_length} leaves room for {available}"
        )
    states = int(np.prod([len(ids) + 1 for ids in words]))
    if states > MOST_STATES:
        raise UserError(
            f"decoding.with_words: {listed} need {states} beams (twice as many with "
            f"each word), the most is {MOST_STATES}; ask for fewer words"
        )


def check_not_banned(
    words: Sequence[Sequence[int]], config: DecodingConfig, processor: LogitsProcessor
) -> None:
    banned_tokens, banned_phrases = set(processor.never), set(processor.unwanted)
    for text, ids in zip(config.with_words, words):
        bounds = itertools.combinations(range(len(ids) + 1), 2)
        phrases = {ids[start:end] for start, end in bounds}
        if banned_tokens & set(ids) or banned_phrases & phrases:
            raise UserError(
                f"decoding.with_words: {text!r} is ruled out by decoding.without_words "
                f"({', '.join(config.without_words)}); take it out of one of them"
            )
