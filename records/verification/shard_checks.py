"""Checks one shard and the order of its records."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from records.console import short_digest
from records.errors import UserError
from records.format import schema, sharding
from records.format.feature_statistics import StatisticsAccumulator
from records.format.manifest import Manifest, ShardInfo
from records.format.shard_reader import ShardReader
from records.storage.base import BLOCK
from records.storage.files import exists, file_digest, file_size
from records.verification.record_checks import (
    CaptionCheck,
    Captions,
    photo_format,
    record_problems,
)

TOGETHER = 512  # records whose captions are tokenized at a time


class Issue(NamedTuple):
    """A problem of a record set.

    Attributes:
        file: the shard, or another file of the record set.
        record: number of the record in its shard, from 0; None for the file itself.
        what: description of what was found and what was expected.
    """

    file: str
    record: int | None
    what: str


class RecordLocation(NamedTuple):
    """The place of a record: shard, number in it from 0, and offset in bytes."""

    shard: str
    record: int
    offset: int


@dataclass(frozen=True)
class CheckContext:
    """The information that shards are checked against.

    Attributes:
        manifest: of the record set.
        captions: check of the captions; None if the vocabulary is not the manifest's.
        wanted: shard -> numbers of records whose places are requested.
    """

    manifest: Manifest
    captions: CaptionCheck | None = None
    wanted: Mapping[str, frozenset[int]] = field(default_factory=dict)

    def shard_of_digest(self, digest: str) -> str | None:
        held = (info for infos in self.manifest.shards.values() for info in infos)
        return next((info.name for info in held if info.sha256 == digest), None)


@dataclass
class Totals:
    """Totals of the records read so far.

    Attributes:
        photos, captions: numbers in records that could be decoded.
        words: number of ids of all captions without `<start>` and `<end>`.
        lengths: ids per caption -> captions.
        longest: split -> ids of its longest caption.
        formats: format of photos kept in records, None if unknown -> photos.
        features: statistics of the training photos.
        places: photo id -> shard and number of its first record.
        wanted: places that were requested.
        complete: every record could be read, so that totals can be compared.
    """

    photos: int = 0
    captions: int = 0
    words: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    longest: dict[str, int] = field(default_factory=dict)
    formats: Counter[str | None] = field(default_factory=Counter)
    features: StatisticsAccumulator = field(default_factory=StatisticsAccumulator)
    places: dict[str, tuple[str, int]] = field(default_factory=dict)
    wanted: list[RecordLocation] = field(default_factory=list)
    complete: bool = True

    def add(self, record: schema.PhotoRecord, shard: str, number: int) -> None:
        self.photos += 1
        self.captions += len(record.captions)
        self.words += sum(len(ids) - 2 for ids in record.ids)
        lengths, split = [len(ids) for ids in record.ids], shard.partition("-")[0]
        self.lengths.update(lengths)
        self.longest[split] = max(*lengths, self.longest.get(split, 0), 0)
        if record.encoded:
            self.formats[photo_format(record.encoded)] += 1
        self.places.setdefault(record.photo_id, (shard, number))


class ShardCheck:
    """A check of one shard: of the file, then of each record.

    Args:
        directory: of the record set.
        info: the manifest's entry of the shard.
        place: (index, count) of the shard in its split.
        context: information that the shard is checked against.
        totals: to which the shard's records are added.
    """

    def __init__(
        self,
        directory: str,
        info: ShardInfo,
        place: tuple[int, int],
        context: CheckContext,
        totals: Totals,
    ):
        self.path = os.path.join(directory, info.name)
        self.info, self.context, self.totals = info, context, totals
        self.index, self.count = place
        self.split = info.name.split("-")[0]
        self.read = self.decoded = self.captions = 0
        self.features = StatisticsAccumulator()
        self.last: tuple[int, str] | None = None
        self.untokenized: list[Captions] = []

    def problems(self) -> list[Issue]:
        """Returns the problems of the file, then those of records, in order."""
        problems = [*self.check_file(), *self.check_records()]
        return sorted(problems, key=lambda p: -1 if p.record is None else p.record)

    def check_file(self) -> Iterator[Issue]:
        try:
            size, digest = file_size(self.path), file_digest(self.path)
        except OSError:
            return  # check_records reports the error
        if size != self.info.bytes:
            yield self.of_file(f"{size} bytes; the manifest says {self.info.bytes}")
        if digest == self.info.sha256:
            return
        other = self.context.shard_of_digest(digest)
        actual = f"that of {other}" if other else short_digest(digest)
        expected = short_digest(self.info.sha256)
        yield self.of_file(f"SHA-256 is {actual}; the manifest says {expected}")

    def check_records(self) -> Iterator[Issue]:
        serialized: bytes | None = b""
        try:
            for offset, serialized in ShardReader(self.path, BLOCK).entries():
                yield from self.check_entry(offset, serialized)
                self.read += 1
        except UserError as error:
            self.totals.complete = False
            yield self.unreadable(error)
            return
        yield from self.check_captions()
        yield from self.check_counts(cut_off=serialized is None)
        # The build adds sums shard by shard too, so both are equal to the last bit.
        sums = self.features
        self.totals.features.merge(sums.sum, sums.squares, sums.cells)

    def unreadable(self, error: UserError) -> Issue:
        if not exists(self.path):
            return self.of_file("missing; the manifest lists it")
        return self.of_file(str(error).replace(f" {self.path}", ""))

    def check_entry(self, offset: int, serialized: bytes | None) -> Iterator[Issue]:
        if serialized is None:
            self.totals.complete = False
            yield self.of_record(f"damaged: byte {offset} begins no whole record")
            return
        try:
            record = schema.decode(serialized, self.context.manifest.features)
        except UserError as error:
            self.totals.complete = False
            yield self.of_record(str(error))
            return
        size = self.context.manifest.vocabulary_size
        for what in (*record_problems(record, size), *self.misplaced(record.photo_id)):
            yield self.of_record(f"{record.photo_id}: {what}")
        self.add(record, offset)
        if len(self.untokenized) >= TOGETHER:
            yield from self.check_captions()

    def add(self, record: schema.PhotoRecord, offset: int) -> None:
        name, number = self.info.name, self.read
        self.decoded += 1
        self.captions += len(record.captions)
        self.totals.add(record, name, number)
        if self.split == "train":
            self.features.add(record.features)
        if number in self.context.wanted.get(name, ()):
            self.totals.wanted.append(RecordLocation(name, number, offset))
        self.untokenized.append(
            Captions(number, record.photo_id, record.captions, record.ids)
        )

    def misplaced(self, photo_id: str) -> Iterator[str]:
        """Yields a problem if a photo occurs twice or its hash gives another place."""
        if not self.context.manifest.in_stored_order:
            yield from self.misplaced_by_hash(photo_id)
        if photo_id in self.totals.places:
            shard, number = self.totals.places[photo_id]
            splits = "" if shard.startswith(f"{self.split}-") else ", in another split"
            yield f"is there twice, first in {shard}, record {number}{splits}"

    def misplaced_by_hash(self, photo_id: str) -> Iterator[str]:
        key = sharding.order_in_shard(photo_id)
        belongs = sharding.shard_of(photo_id, self.count)
        if belongs != self.index:
            yield f"belongs in shard {belongs} of {self.count} by its hash"
        if self.last and key < self.last:
            yield f"stands out of order: it belongs before {self.last[1]}"
        self.last = key

    def check_captions(self) -> Iterator[Issue]:
        rows, self.untokenized = self.untokenized, []
        if self.context.captions:
            for row, what in self.context.captions.problems(rows):
                yield Issue(self.info.name, row.number, f"{row.photo_id}: {what}")

    def check_counts(self, cut_off: bool) -> Iterator[Issue]:
        info = self.info
        if self.read != info.photos:
            what = f"holds {self.read} photos; the manifest says {info.photos}"
            lost = "; what follows the last one could not be found" if cut_off else ""
            yield self.of_file(what + lost)
        if self.decoded == self.read and self.captions != info.captions:
            yield self.of_file(
                f"holds {self.captions} captions; the manifest says {info.captions}"
            )

    def of_file(self, what: str) -> Issue:
        return Issue(self.info.name, None, what)

    def of_record(self, what: str) -> Issue:
        return Issue(self.info.name, self.read, what)
