"""Checks a record's columns, and its captions against the vocabulary."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

import numpy as np

from records.format.schema import PhotoRecord
from records.text.tokenizer import Tokenizer
from records.text.tokenizer_config import TokenizerSettings
from records.text.vocabulary import END_ID, START_ID, Vocabulary

SHA256_BYTES = 32
# First bytes of photo files -> names of formats in the manifest.
FORMATS = {b"\xff\xd8\xff": "JPEG", b"\x89PNG": "PNG", b"GIF8": "GIF"}
FORMATS |= {b"BM": "BMP", b"RIFF": "WebP"}


def record_problems(record: PhotoRecord, vocabulary_size: int) -> Iterator[str]:
    """Yields the problems of one record's columns."""
    if len(record.photo_sha256) != SHA256_BYTES:
        yield f"digest of {len(record.photo_sha256)} bytes; expected {SHA256_BYTES}"
    elif record.encoded and sha256(record.encoded).digest() != record.photo_sha256:
        yield "the photo kept in the record is not the one its digest names"
    if not np.isfinite(record.features).all():
        yield "features are not all finite"
    if not record.captions:
        yield "has no caption"
    if len(record.captions) != len(record.ids):
        yield f"{len(record.captions)} captions, but {len(record.ids)} rows of ids"
    for number, ids in enumerate(record.ids):
        yield from ids_problems(number, ids, vocabulary_size)


def ids_problems(
    number: int, ids: tuple[int, ...], vocabulary_size: int
) -> Iterator[str]:
    if len(ids) < 2 or ids[0] != START_ID or ids[-1] != END_ID:
        yield f"ids of caption {number} do not begin with <start> and end with <end>"
    outside = [i for i in ids if not 0 <= i < vocabulary_size]
    if outside:
        yield (
            f"caption {number} has id {outside[0]}; the vocabulary has "
            f"{vocabulary_size} tokens"
        )


def photo_format(photo: bytes) -> str | None:
    """Returns a photo's format by its first bytes; None for an unknown format."""
    known = (kind for begin, kind in FORMATS.items() if photo.startswith(begin))
    return next(known, None)


class Captions(NamedTuple):
    """The captions of one record.

    Attributes:
        number: of the record in its shard.
        photo_id: id of the photo.
        texts: captions as in the source.
        ids: their token ids.
    """

    number: int
    photo_id: str
    texts: tuple[str, ...]
    ids: tuple[tuple[int, ...], ...]


class CaptionCheck:
    """A check that tokenizes captions again and counts their tokens.

    Attributes:
        tokens: number of tokens so far, out-of-vocabulary ones included.
        unknown: number of out-of-vocabulary tokens so far.
    """

    def __init__(self, settings: TokenizerSettings, vocabulary: Vocabulary):
        self.tokenizer, self.vocabulary = Tokenizer(settings), vocabulary
        self.known = set(vocabulary.tokens)
        self.tokens = self.unknown = 0

    def problems(self, rows: Sequence[Captions]) -> Iterator[tuple[Captions, str]]:
        """Yields captions whose tokens do not have the stored ids.

        A call takes many records, because tokenizing them together is faster. Ids
        beyond the vocabulary are skipped; `record_problems` reports them.
        """
        tokens = iter(self.tokenize([text for row in rows for text in row.texts]))
        for row in rows:
            computed_ids = [self.vocabulary.encode(next(tokens)) for _ in row.texts]
            for number, (stored, computed) in enumerate(zip(row.ids, computed_ids)):
                if list(stored) != computed and self.has(stored):
                    yield row, f"caption {number} {self.difference(stored, computed)}"

    def tokenize(self, texts: Sequence[str]) -> list[list[str]]:
        if not texts:
            return []
        captions = self.tokenizer.tokens(self.tokenizer.words(texts), self.vocabulary)
        self.tokens += sum(map(len, captions))
        self.unknown += sum(t not in self.known for tokens in captions for t in tokens)
        return captions

    def has(self, ids: Sequence[int]) -> bool:
        return all(0 <= i < len(self.vocabulary) for i in ids)

    def difference(self, stored: Sequence[int], computed: Sequence[int]) -> str:
        """Describes the first difference between two rows of ids."""
        pairs = zip(stored, computed)
        at = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
        at = min(len(stored), len(computed)) if at is None else at
        return (
            f"has {self.name(stored, at)} in place {at}, where its text gives "
            f"{self.name(computed, at)}"
        )

    def name(self, ids: Sequence[int], at: int) -> str:
        if at >= len(ids):
            return "no id"
        return f"id {ids[at]} {self.vocabulary.tokens[ids[at]]!r}"
