"""What only a look at many records tells: frequent words, and those left out."""

import itertools
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from records import rejects
from records.reader import RecordSet
from records.samples import read_split
from records.schema import PhotoRecord
from records.shards import in_order
from records.tokenizer import Tokenizer

# Of each split: a set of grids is large, and the first records are as good as any.
READ_BYTES = 256 << 20
TOGETHER = 256  # records whose captions are tokenized at a time
EXAMPLES = 3


@dataclass
class Words:
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


def count_words(record_set: RecordSet) -> dict[str, Words]:
    """Split -> words of its captions, of its first records where it is large."""
    manifest = record_set.manifest
    return {
        split: count_split(record_set, split, Tokenizer(manifest.tokenizer))
        for split in in_order(manifest.shards)
        if manifest.photos(split)
    }


def count_split(record_set: RecordSet, split: str, tokenizer: Tokenizer) -> Words:
    found, known = Words(), set(record_set.vocabulary.tokens)
    for records in batches(first_records(record_set, split)):
        texts = [text for record in records for text in record.captions]
        words = tokenizer.words(texts)
        for tokens in tokenizer.tokens(words, record_set.vocabulary):
            found.tokens += len(tokens)
            found.unknown.update(token for token in tokens if token not in known)
        found.captions += len(texts)
        found.words.update(itertools.chain.from_iterable(words))
    return found


def first_records(record_set: RecordSet, split: str) -> Iterator[PhotoRecord]:
    """The records of a split, up to READ_BYTES of them."""
    shards = record_set.manifest.shards[split]
    size = sum(shard.bytes for shard in shards) / record_set.manifest.photos(split)
    records = (record for _, _, record in read_split(record_set, split))
    return itertools.islice(records, max(1, int(READ_BYTES / size)))


def batches(records: Iterator[PhotoRecord]) -> Iterator[Sequence[PhotoRecord]]:
    while batch := list(itertools.islice(records, TOGETHER)):
        yield batch


def reject_examples(directory: str) -> dict[str, list[rejects.RejectLine]]:
    """Reason -> the first inputs that were left out for it."""
    path = os.path.join(directory, rejects.FILE_NAME)
    found: dict[str, list[rejects.RejectLine]] = {}
    for number, line in enumerate(rejects.read_lines(path), 1):
        reject = rejects.parse_line(line, f"{path}:{number}")
        of_reason = found.setdefault(reject.reason, [])
        if len(of_reason) < EXAMPLES:
            of_reason.append(reject)
    return found
