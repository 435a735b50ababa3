"""Sample records of a record set, with their photos and which tokens are unknown."""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from records.errors import UserError
from records.format.record_set import RecordSet, read_shard
from records.format.schema import PhotoRecord, decode
from records.format.sharding import in_order
from records.storage.photo_directory import (
    PhotoFile,
    PhotoFolder,
    check_directory,
    named_folder,
)
from records.text.tokenizer import Tokenizer
from records.text.vocabulary import Vocabulary


class Token(NamedTuple):
    """One token of a caption; `known` if the vocabulary has it."""

    text: str
    known: bool


@dataclass(frozen=True)
class Sample:
    """One record.

    Attributes:
        record: what it holds.
        shard, number: where it stands.
        tokens: of each caption, those out of the vocabulary included.
        stored: of each caption, the tokens of the ids in the record.
        file: the photo's file; None if it is not found.
    """

    record: PhotoRecord
    shard: str
    number: int
    tokens: tuple[tuple[Token, ...], ...]
    stored: tuple[str, ...]
    file: PhotoFile | None

    @property
    def photo(self) -> bytes | None:
        """The photo's bytes; those kept in the record are the right ones."""
        return self.record.encoded or (self.file and self.file.content)

    @property
    def changed(self) -> bool:
        """Whether the file holds other bytes than the record was made from."""
        return self.file is not None and not self.file.same

    def describe(self) -> dict[str, Any]:
        """What `inspect --json` prints of it."""
        rows = zip(self.record.captions, self.stored, self.tokens)
        return {
            "photo": self.record.photo_id,
            "shard": self.shard,
            "record": self.number,
            "path": self.file and self.file.path,
            "changed": self.changed,
            "kept": self.record.encoded is not None,
            "sha256": self.record.photo_sha256.hex(),
            "features": moments(self.record.features),
            "captions": [
                {
                    "text": text,
                    "tokens": stored,
                    "unknown": [token.text for token in tokens if not token.known],
                }
                for text, stored, tokens in rows
            ],
        }


def sample_splits(
    record_set: RecordSet, limit: int, photos: str | None = None
) -> dict[str, list[Sample]]:
    """Split -> its first `limit` records, in the order they stand in its shards.

    A hash decides that order, so that these are as good as drawn at random.

    Args:
        photos: directory of the photos; None for the one that the manifest names.

    Raises:
        UserError: there is no directory `photos`, or a record is damaged.
    """
    manifest = record_set.manifest
    check_directory(photos)
    folder = named_folder(manifest.sources, photos)
    tokenizer = Tokenizer(manifest.tokenizer)
    return {
        split: list(
            samples_of(
                record_set,
                itertools.islice(read_split(record_set, split), limit),
                tokenizer,
                folder,
            )
        )
        for split in in_order(manifest.shards)
        if manifest.photos(split)
    }


def read_split(
    record_set: RecordSet, split: str
) -> Iterator[tuple[str, int, PhotoRecord]]:
    """Yields (shard, number in it, record).

    Raises:
        UserError: names shard and record of any damage.
    """
    names = (shard.name for shard in record_set.manifest.shards[split])
    for name, path in zip(names, record_set.shard_paths(split)):
        for number, serialized in enumerate(read_shard(path)):
            try:
                record = decode(serialized, record_set.manifest.features)
            except UserError as error:
                raise UserError(f"{path}: record {number}: {error}") from None
            yield name, number, record


def samples_of(
    record_set: RecordSet,
    records: Iterable[tuple[str, int, PhotoRecord]],
    tokenizer: Tokenizer,
    folder: PhotoFolder,
) -> Iterator[Sample]:
    vocabulary = record_set.vocabulary
    known = set(vocabulary.tokens)
    for shard, number, record in records:
        words = tokenizer.words(record.captions)
        yield Sample(
            record=record,
            shard=shard,
            number=number,
            tokens=tuple(
                tuple(Token(token, token in known) for token in tokens)
                for tokens in tokenizer.tokens(words, vocabulary)
            ),
            stored=tuple(stored_tokens(ids, vocabulary) for ids in record.ids),
            file=folder.read(record.photo_id, record.photo_sha256),
        )


def stored_tokens(ids: Sequence[int], vocabulary: Vocabulary) -> str:
    """Tokens of ids; of damaged ones that it has none for, the id itself."""
    size = len(vocabulary)
    if all(0 <= i < size for i in ids):
        return vocabulary.decode(ids)
    return " ".join(vocabulary.tokens[i] if 0 <= i < size else f"#{i}" for i in ids)


def moments(features: np.ndarray) -> dict[str, float | None]:
    """Minimum, mean and maximum; None, which JSON can say, for what is not finite."""
    exact = features.astype(np.float64)
    found = {"min": exact.min(), "mean": exact.mean(), "max": exact.max()}
    return {name: float(x) if math.isfinite(x) else None for name, x in found.items()}
