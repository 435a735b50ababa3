"""What only a look at many records tells: frequent words, and those left out."""

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

# Of each split: its first records are as good as any.
READ_CAPTIONS = 1 << 18
TOGETHER = 256  # photos whose captions are tokenized at a time
EXAMPLES = 3


@dataclass
class WordCounts:
    """Words of a split's captions.

    Attributes:
        captions: that were read.
        words: word -> how often it occurs.
        tokens: how many there are, words or parts of them.
        unknown: token that the vocabulary lacks -> how often it occurs.
    """

    captions: int = 0
    words: Counter[str] = field(default_factory=Counter)
    tokens: int = 0
    unknown: Counter[str] = field(default_factory=Counter)

    @property
    def unknown_rate(self) -> float:
        return self.unknown.total() / max(1, self.tokens)


def count_words(record_set: RecordSet) -> dict[str, WordCounts]:
    """Split -> words of its captions, of its first records where it is large."""
    manifest = record_set.manifest
    return {
        split: count_split(record_set, split, Tokenizer(manifest.tokenizer))
        for split in in_order(manifest.shards)
        if manifest.photos(split)
    }


def count_split(record_set: RecordSet, split: str, tokenizer: Tokenizer) -> WordCounts:
    found, known = WordCounts(), set(record_set.vocabulary.tokens)
    for texts in batches(first_texts(record_set, split)):
        words = tokenizer.words(texts)
        for tokens in tokenizer.tokens(words, record_set.vocabulary):
            found.tokens += len(tokens)
            found.unknown.update(token for token in tokens if token not in known)
        found.captions += len(texts)
        found.words.update(itertools.chain.from_iterable(words))
    return found


def first_texts(record_set: RecordSet, split: str) -> Iterator[tuple[str, ...]]:
    """Yields the captions of a photo, up to `READ_CAPTIONS` of a split in all."""
    read = 0
    for _, captions in read_texts(record_set, split):
        read += len(captions)
        if read > READ_CAPTIONS:
            return
        yield captions


def batches(texts: Iterator[tuple[str, ...]]) -> Iterator[list[str]]:
    """Yields the captions of some photos at a time."""
    for batch in batched(texts, TOGETHER):
        yield list(itertools.chain.from_iterable(batch))


def reject_examples(directory: str) -> dict[str, list[rejects.Reject]]:
    """Reason -> the first inputs that were left out for it."""
    path = os.path.join(directory, rejects.FILE_NAME)
    found: dict[str, list[rejects.Reject]] = {}
    for number, line in enumerate(rejects.read_lines(path), 1):
        reject = rejects.parse_line(line, f"{path}:{number}")
        of_reason = found.setdefault(reject.reason, [])
        if len(of_reason) < EXAMPLES:
            of_reason.append(reject)
    return found
