"""Reads sample records, their photos and their unknown tokens."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from records.format.photos import Photos, check_photos, photos_to_show, read_all
from records.format.record_set import RecordSet
from records.format.schema import PhotoRecord
from records.format.sharding import in_order
from records.storage.photo_directory import PhotoFile
from records.text.tokenizer import Tokenizer
from records.text.vocabulary import Vocabulary


class Token(NamedTuple):
    """A token of a caption; `known` is true if the vocabulary has it."""

    text: str
    known: bool


@dataclass(frozen=True)
class Sample:
    """A sample record.

    Attributes:
        record: its content.
        shard: name of its shard.
        number: of the record in its shard.
        tokens: tokens of each caption, out-of-vocabulary ones included.
        stored: for each caption, the tokens of the stored ids.
        file: the photo's file, or its member of a container; None if it is not found.
    """

    record: PhotoRecord
    shard: str
    number: int
    tokens: tuple[tuple[Token, ...], ...]
    stored: tuple[str, ...]
    file: PhotoFile | None

    @property
    def photo(self) -> bytes | None:
        """The photo's bytes, from the record if it keeps them."""
        return self.record.encoded or (self.file and self.file.content)

    @property
    def changed(self) -> bool:
        """True if the file's bytes are not those of the record's photo."""
        return self.file is not None and not self.file.same

    def describe(self) -> dict[str, Any]:
        """Returns the object that `inspect --json` prints."""
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
    """Returns the first `limit` records of each split, in stored order.

    Stored order follows a hash, so these records are a random sample.

    Args:
        record_set: to read from.
        limit: number of records of a split.
        photos: directory or containers of the photos; None for those that the manifest
            names.

    Raises:
        UserError: there are no such photos, or a record is damaged.
    """
    check_photos(photos)
    manifest = record_set.manifest
    source = photos_to_show(manifest.sources, photos)
    return {
        split: list(read_samples(record_set, split, limit, source))
        for split in in_order(manifest.shards)
        if manifest.photos(split)
    }


def read_samples(
    record_set: RecordSet, split: str, limit: int, photos: Photos
) -> Iterator[Sample]:
    """Yields the first `limit` records of a split with their photos."""
    manifest, vocabulary = record_set.manifest, record_set.vocabulary
    tokenizer, known = Tokenizer(manifest.tokenizer), set(vocabulary.tokens)
    places = (
        (shard.name, number)
        for shard in manifest.shards[split]
        for number in range(shard.photos)
    )
    records = list(itertools.islice(record_set.records(split), limit))
    files = read_all(photos, {r.photo_id: r.photo_sha256 for r in records})
    for (shard, number), record in zip(places, records):
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
            file=files[record.photo_id],
        )


def stored_tokens(ids: Sequence[int], vocabulary: Vocabulary) -> str:
    """Returns the tokens of ids; an id beyond the vocabulary is shown as `#id`."""
    size = len(vocabulary)
    if all(0 <= i < size for i in ids):
        return vocabulary.decode(ids)
    return " ".join(vocabulary.tokens[i] if 0 <= i < size else f"#{i}" for i in ids)


def moments(features: np.ndarray) -> dict[str, float | None]:
    """Returns minimum, mean and maximum; None, as JSON requires, if not finite."""
    exact = features.astype(np.float64)
    values = {"min": exact.min(), "mean": exact.mean(), "max": exact.max()}
    return {name: float(x) if math.isfinite(x) else None for name, x in values.items()}
