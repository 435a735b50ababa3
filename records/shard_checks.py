"""Checks of one shard and of each record in it, for `verify`."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from records import schema, shards
from records.errors import UserError
from records.files import file_digest
from records.manifest import Manifest, ShardInfo
from records.reader import read_shard
from records.vocabulary import END_ID, START_ID

SHA256_BYTES = 32
SHORT = 12


class Problem(NamedTuple):
    """Something that does not fit.

    Attributes:
        file: the shard, or another file of the record set.
        record: number of the record in its shard, from 0; None for the file itself.
        what: what was found and what was expected.
    """

    file: str
    record: int | None
    what: str


@dataclass
class Found:
    """What the records themselves hold, added up over the shards read so far.

    Attributes:
        photos, captions: in records that could be decoded.
        words: ids of all captions but `<start>` and `<end>`.
        lengths: ids per caption -> captions.
        shard_of_photo: photo id -> shard it was first met in.
        complete: no record was beyond reading, so that totals can be compared.
    """

    photos: int = 0
    captions: int = 0
    words: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    shard_of_photo: dict[str, str] = field(default_factory=dict)
    complete: bool = True

    def add(self, record: schema.PhotoRecord, shard: str) -> None:
        self.photos += 1
        self.captions += len(record.captions)
        self.words += sum(len(ids) - 2 for ids in record.ids)
        self.lengths.update(len(ids) for ids in record.ids)
        self.shard_of_photo.setdefault(record.photo_id, shard)


class ShardCheck:
    """Checks one shard: the file, then its records one by one.

    Args:
        path: where it is.
        info: what the manifest says of it.
        place: (index, count) of the shard in its split.
        manifest: of the record set.
        found: what it holds is added there.
    """

    def __init__(
        self,
        path: str,
        info: ShardInfo,
        place: tuple[int, int],
        manifest: Manifest,
        found: Found,
    ):
        self.path, self.info, self.manifest, self.found = path, info, manifest, found
        self.index, self.count = place
        self.read = self.decoded = self.captions = 0
        self.last: tuple[int, str] | None = None

    def problems(self) -> Iterator[Problem]:
        if not tf.io.gfile.exists(self.path):
            self.found.complete = False
            yield self.of_file("missing; the manifest lists it")
            return
        yield from self.check_file()
        yield from self.check_records()

    def check_file(self) -> Iterator[Problem]:
        try:
            size = tf.io.gfile.stat(self.path).length
            digest = file_digest(self.path)
        except tf.errors.OpError as error:
            yield self.of_file(f"cannot be read: {error.message}")
            return
        if size != self.info.bytes:
            yield self.of_file(f"{size} bytes; the manifest says {self.info.bytes}")
        if digest != self.info.sha256:
            said = self.info.sha256[:SHORT]
            yield self.of_file(
                f"SHA-256 is {digest[:SHORT]}…; the manifest says {said}…"
            )

    def check_records(self) -> Iterator[Problem]:
        try:
            for serialized in read_shard(self.path):
                yield from self.check_record(serialized)
                self.read += 1
        except UserError as error:
            self.found.complete = False
            what = str(error).removeprefix(f"{self.path}: ")
            rest = "what follows it in this shard was not read"
            yield Problem(self.info.name, self.read, f"{what}; {rest}")
            return
        yield from self.check_counts()

    def check_record(self, serialized: bytes) -> Iterator[Problem]:
        try:
            record = schema.decode(serialized, self.manifest.features)
        except UserError as error:
            self.found.complete = False
            yield Problem(self.info.name, self.read, str(error))
            return
        size = self.manifest.vocabulary_size
        for what in (*record_problems(record, size), *self.misplaced(record.photo_id)):
            yield Problem(self.info.name, self.read, f"{record.photo_id}: {what}")
        self.decoded += 1
        self.captions += len(record.captions)
        self.found.add(record, self.info.name)

    def misplaced(self, photo_id: str) -> Iterator[str]:
        """A photo stands in the shard and place that its hash says, and only there."""
        key = shards.order_in_shard(photo_id)
        belongs = shards.shard_of(photo_id, self.count)
        if belongs != self.index:
            yield f"belongs in shard {belongs} of {self.count} by its hash"
        if self.last and key < self.last:
            yield f"stands out of order: it belongs before {self.last[1]}"
        if photo_id in self.found.shard_of_photo:
            yield f"is there twice, first in {self.found.shard_of_photo[photo_id]}"
        self.last = key

    def check_counts(self) -> Iterator[Problem]:
        if self.read != self.info.photos:
            said = self.info.photos
            yield self.of_file(f"holds {self.read} photos; the manifest says {said}")
        if self.decoded == self.read and self.captions != self.info.captions:
            said = self.info.captions
            yield self.of_file(
                f"holds {self.captions} captions; the manifest says {said}"
            )

    def of_file(self, what: str) -> Problem:
        return Problem(self.info.name, None, what)


def record_problems(record: schema.PhotoRecord, vocabulary_size: int) -> Iterator[str]:
    """What is wrong inside one record."""
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
