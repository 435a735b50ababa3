"""One shard at a time: read its photos, encode them in batches, write, rename.

The shard is the unit of retry and of resume. Beside each finished shard stands a
report, in a folder that a reader ignores (`output_folder`); a build started again
finds it there and does not encode the shard again, if it would come out the same.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import apache_beam as beam
import numpy as np
from apache_beam.metrics import Metrics

from beam_jobs import progress
from beam_jobs.elements import REJECTED, Job, Photo, Plan, Reject
from beam_jobs.output_folder import Report, finished_report, save_report
from beam_jobs.photo_files import read_photo
from beam_jobs.reusing import EarlierFeatures
from records import shards
from records.manifest import ShardInfo
from records.schema import PhotoRecord
from records.vocabulary import Vocabulary
from records.writer import ShardWriter
from tfcap.config import EncoderConfig
from tfcap.encoders import Encoder, load_encoder
from tfcap.photos import PhotoProblem


class ShardReport(Report):
    """What a finished shard holds, and what was left out of it.

    Attributes:
        shard: as in the manifest.
        tokens, out_of_vocabulary: words of the written captions, and unknown ones.
        caption_lengths: ids per caption -> captions.
        photo_formats: file format -> photos.
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
    feature_sum: list[float]
    feature_squares: list[float]
    cells: int


class WriteShard(beam.DoFn):
    """((split, shard), photos) -> ShardReport as JSON; `rejected` -> Reject.

    Args:
        job: the build.
        encoder_for: loads the encoder, once per process.
    """

    def __init__(
        self, job: Job, encoder_for: Callable[[EncoderConfig], Encoder] = load_encoder
    ):
        self.job = job
        self.encoder_for = encoder_for
        self.encoded = Metrics.counter("tfcap", "photos_encoded")
        self.reused = Metrics.counter("tfcap", "photos_reused")
        self.taken_over = Metrics.counter("tfcap", "photos_taken_over")
        self.batches = Metrics.distribution("tfcap", "encoder_batch_size")

    def process(
        self, keyed: tuple[tuple[str, int], Iterable[Photo | None]], plan: Plan
    ):
        (split, index), photos = keyed
        photos = [photo for photo in photos if photo is not None]
        photos.sort(key=lambda photo: shards.order_in_shard(photo.photo_id))
        name = shards.shard_name(split, index, plan.shards[split])
        digest = self.digest(photos, plan)
        progress.start(plan.photos)
        report = finished_report(ShardReport, self.job.output, name, digest)
        if report:
            self.reused.inc(report.shard.photos)
            progress.advance(len(photos), len(report.rejects))
        else:
            report = self.write(split, name, photos, Vocabulary(plan.tokens), digest)
        for reject in report.rejects:
            yield beam.pvalue.TaggedOutput(REJECTED, reject)
        yield report.model_dump_json()

    def digest(self, photos: list[Photo], plan: Plan) -> str:
        """Digest of all that decides the shard's bytes, short of reading the photos."""
        content = [
            [(p.file.size, p.file.modified, *p.captions) for p in photos],
            [photo.photo_id for photo in photos],
            plan.tokens,
            self.job.encoder.digest,
            self.job.features.model_dump(),
            self.job.config.records.keep_photos,
        ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def write(
        self, split: str, name: str, photos: list[Photo], vocabulary: Vocabulary, digest
    ) -> ShardReport:
        tally = Tally(vocabulary, measure=split == "train")
        rejects: list[Reject] = []
        with ShardWriter(self.job.output, name) as writer:
            for photo, content, kind, features in self.encode(photos, rejects):
                record = self.record(photo, content, features, vocabulary)
                writer.write(record)
                tally.add(photo, record, kind)
            info = writer.close()
        report = ShardReport(
            plan=digest,
            size=info.bytes,
            rejects=rejects,
            split=split,
            shard=info,
            **tally.fields(),
        )
        save_report(self.job.output, name, report)
        return report

    def encode(
        self, photos: list[Photo], rejects: list[Reject]
    ) -> Iterator[tuple[Photo, bytes, str, np.ndarray]]:
        """Yields (photo, bytes, format, features) in order; appends to `rejects`."""
        earlier = EarlierFeatures(self.job.features)
        size = self.job.config.records.encoder_batch
        for start in range(0, len(photos), size):
            batch, rejected = read_batch(photos[start : start + size])
            features = self.take_over(earlier, batch)
            self.run(batch, features, rejected)
            for row, vector in zip(batch, features, strict=True):
                if vector is not None:
                    yield *row, vector
            rejects.extend(rejected)
            progress.advance(min(size, len(photos) - start), len(rejected))

    def take_over(
        self, earlier: EarlierFeatures, batch: list
    ) -> list[np.ndarray | None]:
        """Features from the earlier record set; None where they must be encoded."""
        features = [earlier.find(photo, content) for photo, content, _ in batch]
        self.taken_over.inc(sum(vector is not None for vector in features))
        return features

    def run(self, batch: list, features: list, rejected: list[Reject]) -> None:
        """Encodes the photos whose features are None; those undecodable stay so."""
        new = [i for i, vector in enumerate(features) if vector is None]
        if not new:
            return
        encoder = self.encoder_for(self.job.config.encoder)
        vectors, bad = encoder.encode([batch[i][1] for i in new])
        self.batches.update(len(new))
        self.encoded.inc(len(vectors))
        for i, reason in bad:
            photo = batch[new[i]][0]
            rejected.append(reject_photo(photo, "corrupt_photo", reason))
        reasons = dict(bad)
        readable = [row for i, row in enumerate(new) if i not in reasons]
        for row, vector in zip(readable, vectors, strict=True):
            features[row] = vector

    def record(
        self, photo: Photo, content: bytes, features: np.ndarray, vocabulary: Vocabulary
    ) -> PhotoRecord:
        return PhotoRecord(
            photo_id=photo.photo_id,
            photo_sha256=hashlib.sha256(content).digest(),
            features=features.astype(self.job.features.dtype),
            captions=tuple(caption.text for caption in photo.captions),
            ids=tuple(tuple(vocabulary.encode(c.words)) for c in photo.captions),
            encoded=content if self.job.config.records.keep_photos else None,
        )


class Tally:
    """Counts over the records of a shard."""

    def __init__(self, vocabulary: Vocabulary, measure: bool):
        self.known = set(vocabulary.tokens)
        self.measure = measure
        self.tokens = self.out_of_vocabulary = self.cells = 0
        self.lengths: Counter[int] = Counter()
        self.formats: Counter[str] = Counter()
        self.sum = self.squares = np.zeros(0)

    def add(self, photo: Photo, record: PhotoRecord, kind: str) -> None:
        words = [word for caption in photo.captions for word in caption.words]
        self.tokens += len(words)
        self.out_of_vocabulary += sum(word not in self.known for word in words)
        self.lengths.update(len(ids) for ids in record.ids)
        self.formats[kind] += 1
        if self.measure:
            self.add_features(record.features)

    def add_features(self, features: np.ndarray) -> None:
        # Double precision: a random network's features are of the order of 1e-4.
        rows = features.reshape([-1, features.shape[-1]]).astype(np.float64)
        total, squares = rows.sum(0), np.square(rows).sum(0)
        self.sum = self.sum + total if self.cells else total
        self.squares = self.squares + squares if self.cells else squares
        self.cells += len(rows)

    def fields(self) -> dict:
        return {
            "tokens": self.tokens,
            "out_of_vocabulary": self.out_of_vocabulary,
            "caption_lengths": dict(sorted(self.lengths.items())),
            "photo_formats": dict(sorted(self.formats.items())),
            "feature_sum": self.sum.tolist(),
            "feature_squares": self.squares.tolist(),
            "cells": self.cells,
        }


def read_batch(
    photos: list[Photo],
) -> tuple[list[tuple[Photo, bytes, str]], list[Reject]]:
    """Reads photos: (photo, bytes, format) of those worth decoding, others' rejects."""
    batch, rejected = [], []
    for photo in photos:
        try:
            batch.append((photo, *read_photo(photo.file.path)))
        except PhotoProblem as problem:
            rejected.append(reject_photo(photo, problem.reason, str(problem)))
    return batch, rejected


def reject_photo(photo: Photo, reason: str, detail: str) -> Reject:
    return Reject("photo", photo.photo_id, reason, detail, len(photo.captions))
