"""Counts words over many records, and collects examples of rejects."""

import itertools
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from records.batching import batched
from records.format import rejects
from records.format.caption_reader import read_texts
from records.format.record_set import RecordSet
from records.format.sharding import in_order
from records.text.tokenizer import Tokenizer

# Captions read of a split. Stored order follows a hash, so the first are a sample.
READ_CAPTIONS = 1 << 18
TOGETHER = 256  # photos whose captions are tokenized at a time
EXAMPLES = 3


@dataclass
class WordCounts:
    """Counts of the words of a split's captions.

    Attributes:
        captions: number of captions that were read.
        words: word -> occurrences.
        tokens: number of tokens.
        unknown: out-of-vocabulary token -> occurrences.
    """

    captions: int = 0
    words: Counter[str] = field(default_factory=Counter)
    tokens: int = 0
    unknown: Counter[str] = field(default_factory=Counter)

    @property
    def unknown_rate(self) -> float:
        return self.unknown.total() / max(1, self.tokens)


def count_words(record_set: RecordSet) -> dict[str, WordCounts]:
    """Returns the word counts of each split, of its first records if it is large."""
    manifest = record_set.manifest
    return {
        split: count_split(record_set, split, Tokenizer(manifest.tokenizer))
        for split in in_order(manifest.shards)
        if manifest.photos(split)
    }


def count_split(record_set: RecordSet, split: str, tokenizer: Tokenizer) -> WordCounts:
    counts, known = WordCounts(), set(record_set.vocabulary.tokens)
    for batch in batched(first_texts(record_set, split), TOGETHER):
        texts = list(itertools.chain.from_iterable(batch))
        words = tokenizer.words(texts)
        for tokens in tokenizer.tokens(words, record_set.vocabulary):
            counts.tokens += len(tokens)
            counts.unknown.update(token for token in tokens if token not in known)
        counts.captions += len(texts)
        counts.words.update(itertools.chain.from_iterable(words))
    return counts


def first_texts(record_set: RecordSet, split: str) -> Iterator[tuple[str, ...]]:
    """Yields the captions of each photo, at most `READ_CAPTIONS` in total."""
    read = 0
    for _, captions in read_texts(record_set, split):
        read += len(captions)
        if read > READ_CAPTIONS:
            return
        yield captions


def reject_examples(directory: str) -> dict[str, list[rejects.Reject]]:
    """Returns the first rejects of each reason."""
    path = os.path.join(directory, rejects.FILE_NAME)
    examples: dict[str, list[rejects.Reject]] = {}
    for number, line in enumerate(rejects.read_lines(path), 1):
        reject = rejects.parse_line(line, f"{path}:{number}")
        same_reason = examples.setdefault(reject.reason, [])
        if len(same_reason) < EXAMPLES:
            same_reason.append(reject)
    return examples
