"""Writes one shard of records: reads its photos, encodes them, writes, renames."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from beam_jobs.build_job import Job
from beam_jobs.elements import Photo, Plan
from beam_jobs.io.output_directory import Report
from beam_jobs.io.photo_files import UNREADABLE
from beam_jobs.monitoring import progress
from beam_jobs.monitoring.counters import counter, measure_time, step_milliseconds
from beam_jobs.transforms.encode_photos import EncodedPhoto, ShardEncoder
from beam_jobs.transforms.shard_plan import order_in_shard
from beam_jobs.transforms.shard_step import ShardStep
from beam_jobs.transforms.spill import read_blocks, unpack_photo
from beam_jobs.transforms.tokenize import add_tokens
from records.format import sharding
from records.format.feature_statistics import StatisticsAccumulator
from records.format.manifest import ShardInfo
from records.format.rejects import Reject
from records.format.schema import PhotoRecord
from records.format.shard_writer import ShardWriter
from records.text.vocabulary import Vocabulary
from tfcap.config.encoder import EncoderConfig
from tfcap.encoders import Encoder, load_encoder


class ShardReport(Report):
    """The contents of a finished shard, and its rejected photos.

    Attributes:
        shard: as in the manifest.
        tokens, out_of_vocabulary: of the written captions, and how many are unknown.
        caption_lengths: ids per caption -> captions.
        photo_formats: file format -> photos.
        distinct: ids of up to two captions that differ, to tell whether all are equal.
        feature_sum, feature_squares: per channel, over photos and cells; empty
            outside the training split.
        cells: how many values each of those sums has.
    """

    split: str
    shard: ShardInfo
    tokens: int
    out_of_vocabulary: int
    caption_lengths: dict[int, int]
    photo_formats: dict[str, int]
    distinct: list[list[int]]
    feature_sum: list[float]
    feature_squares: list[float]
    cells: int

    @property
    def photos_written(self) -> int:
        return self.shard.photos

    def is_final(self) -> bool:
        """Returns False where a file may be readable in another try."""
        return all(reject.reason != UNREADABLE for reject in self.rejects)


class WriteShard(ShardStep):
    """((split, shard), Blocks of its photos) -> ShardReport as JSON; also `rejected`.

    A block that is None holds no photo.

    Args:
        job: the build.
        encoder_for: loads the encoder, once per process.
    """

    report_type = ShardReport

    def __init__(
        self, job: Job, encoder_for: Callable[[EncoderConfig], Encoder] = load_encoder
    ):
        super().__init__(job.output)
        self.job = job
        self.encoder = ShardEncoder(job, encoder_for)
        self.written = counter("photos_written")
        self.captions = counter("captions_written")
        self.writing = step_milliseconds("write")

    def process(self, keyed: tuple[tuple[str, int], Iterable[Any]], plan: Plan):
        (split, index), blocks = keyed
        packed = read_blocks(block for block in blocks if block)
        photos = [unpack_photo(photo) for photo in packed]
        photos.sort(key=order_in_shard)
        name = sharding.shard_name(split, index, plan.shards[split])
        digest = self.digest(photos, plan)
        progress.start(plan.photos)

        def write() -> ShardReport:
            vocabulary = Vocabulary(plan.tokens)
            tokenized = add_tokens(photos, self.job.config.tokenizer, vocabulary)
            return self.write(split, name, tokenized, vocabulary, digest)

        report = self.finished_or_new(name, digest, len(photos), write)
        self.written.inc(report.shard.photos)
        self.captions.inc(report.shard.captions)
        yield from self.outputs(report)

    def digest(self, photos: list[Photo], plan: Plan) -> str:
        """Returns a digest of all that decides the shard, but for the photos' bytes."""
        content = [
            [(p.file.size, p.file.modified, *p.captions) for p in photos],
            [photo.photo_id for photo in photos],
            plan.tokens,
            self.job.config.tokenizer.kind,
            self.job.encoder.digest,
            self.job.features.model_dump(),
            self.job.config.records.keep_photos,
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def write(
        self,
        split: str,
        name: str,
        photos: list[Photo],
        vocabulary: Vocabulary,
        digest: str,
    ) -> ShardReport:
        tally = Tally(vocabulary, measure=split == "train")
        rejects: list[Reject] = []
        with ShardWriter(self.job.output, name) as writer:
            for batch in self.encoder.encode(photos, rejects):
                with measure_time(self.writing):
                    self.write_batch(writer, batch, vocabulary, tally)
            with measure_time(self.writing):
                info = writer.close()
        return ShardReport(
            plan=digest,
            size=info.bytes,
            rejects=rejects,
            split=split,
            shard=info,
            **tally.fields(),
        )

    def write_batch(
        self,
        writer: ShardWriter,
        batch: list[EncodedPhoto],
        vocabulary: Vocabulary,
        tally: "Tally",
    ) -> None:
        for photo, content, kind, features in batch:
            record = self.record(photo, content, features, vocabulary)
            writer.write(record)
            tally.add(photo, record, kind)

    def record(
        self, photo: Photo, content: bytes, features: np.ndarray, vocabulary: Vocabulary
    ) -> PhotoRecord:
        return PhotoRecord(
            photo_id=photo.photo_id,
            photo_sha256=hashlib.sha256(content).digest(),
            features=features.astype(self.job.features.dtype),
            captions=tuple(caption.text for caption in photo.captions),
            ids=tuple(tuple(vocabulary.encode(c.tokens)) for c in photo.captions),
            encoded=content if self.job.config.records.keep_photos else None,
        )


class Tally:
    """The counts of a shard's records."""

    def __init__(self, vocabulary: Vocabulary, measure: bool):
        self.known = set(vocabulary.tokens)
        self.measure = measure
        self.tokens = self.out_of_vocabulary = 0
        self.lengths: Counter[int] = Counter()
        self.formats: Counter[str] = Counter()
        self.distinct: dict[tuple[int, ...], None] = {}
        self.features = StatisticsAccumulator()

    def add(self, photo: Photo, record: PhotoRecord, kind: str) -> None:
        tokens = [token for caption in photo.captions for token in caption.tokens]
        self.tokens += len(tokens)
        self.out_of_vocabulary += sum(token not in self.known for token in tokens)
        self.lengths.update(len(ids) for ids in record.ids)
        self.formats[kind] += 1
        for ids in record.ids:
            if len(self.distinct) < 2:
                self.distinct[ids] = None
        if self.measure:
            self.features.add(record.features)

    def fields(self) -> dict[str, Any]:
        return {
            "tokens": self.tokens,
            "out_of_vocabulary": self.out_of_vocabulary,
            "caption_lengths": dict(sorted(self.lengths.items())),
            "photo_formats": dict(sorted(self.formats.items())),
            "distinct": [list(ids) for ids in self.distinct],
            "feature_sum": self.features.sum.tolist(),
            "feature_squares": self.features.squares.tolist(),
            "cells": self.features.cells,
        }
