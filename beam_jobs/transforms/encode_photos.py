"""Reads and encodes a shard's photos in batches, in order.

Two batches are in the encoder at a time. Meanwhile the next one is read and the last
one written. So the cores stay busy during a network's narrow layers.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from beam_jobs.build_job import Job
from beam_jobs.elements import Photo
from beam_jobs.io.photo_files import reject_photo
from beam_jobs.io.photo_reader import PhotoReader, ReadPhoto
from beam_jobs.monitoring import progress
from beam_jobs.monitoring.counters import (
    counter,
    distribution,
    measure_time,
    milliseconds_since,
    step_milliseconds,
)
from beam_jobs.transforms.reuse_features import EarlierFeatures
from records.batching import batched
from records.console import short_digest
from records.errors import UserError
from records.format.rejects import Reject
from tfcap.config.experiment import EncoderConfig
from tfcap.encoders import Encoder
from tfcap.memory import named_memory_errors

AT_A_TIME = 2

# Photo, its bytes, their format and its features.
EncodedPhoto = tuple[Photo, bytes, str, np.ndarray]


@dataclass
class Batch:
    """Photos between reading and writing.

    Attributes:
        photos: how many there were to read.
        read: those worth decoding.
        features: of each of them; None until it is encoded.
        rejected: the others.
        encoded: vectors and what could not be decoded, of those without features, and
            the milliseconds it took; None if all have features.
    """

    photos: int
    read: list[ReadPhoto]
    features: list[np.ndarray | None]
    rejected: list[Reject]
    encoded: Future | None = None

    def new(self) -> list[int]:
        return [i for i, vector in enumerate(self.features) if vector is None]


class ShardEncoder:
    """An encoder of the photos of shards, which counts them.

    Args:
        job: the build.
        encoder_for: loads the encoder, once per process.
    """

    def __init__(self, job: Job, encoder_for: Callable[[EncoderConfig], Encoder]):
        self.job, self.encoder_for = job, encoder_for
        self.taken_over = counter("photos_taken_over")
        self.encoded = counter("photos_encoded")
        self.batches = distribution("encoder_batch_size")
        self.reading = step_milliseconds("read")
        self.encoding = step_milliseconds("encode")

    def encode(
        self, photos: list[Photo], rejects: list[Reject]
    ) -> Iterator[list[EncodedPhoto]]:
        """Yields batch after batch, in order; appends to `rejects`."""
        earlier = EarlierFeatures(self.job.features)
        running: deque[Batch] = deque()
        size = self.job.config.records.encoder_batch
        with ThreadPoolExecutor(AT_A_TIME) as threads, PhotoReader() as reader:
            for some in batched(photos, size):
                batch = self.read(some, reader, earlier)
                self.begin(batch, threads)
                running.append(batch)
                if len(running) > AT_A_TIME:
                    yield self.end(running.popleft(), rejects)
            while running:
                yield self.end(running.popleft(), rejects)

    def read(
        self, photos: Sequence[Photo], reader: PhotoReader, earlier: EarlierFeatures
    ) -> Batch:
        """Reads a batch, with the features that the earlier record set has."""
        with measure_time(self.reading):
            read, rejected = reader.read_batch(photos)
            features = [earlier.find(photo, content) for photo, content, _ in read]
        self.taken_over.inc(sum(vector is not None for vector in features))
        return Batch(len(photos), read, features, rejected)

    def begin(self, batch: Batch, threads: ThreadPoolExecutor) -> None:
        contents = [batch.read[i][1] for i in batch.new()]
        if contents:
            encoder = self.encoder_for(self.job.config.encoder)
            refuse_another(encoder, self.job)
            batch.encoded = threads.submit(clocked, encoder, contents)

    def end(self, batch: Batch, rejects: list[Reject]) -> list[EncodedPhoto]:
        """Waits for the encoder; counts here, for its thread has no counters."""
        if batch.encoded:
            vectors, bad, milliseconds = batch.encoded.result()
            self.encoding.update(milliseconds)
            self.fill(batch, vectors, dict(bad))
        rejects.extend(batch.rejected)
        progress.advance(batch.photos, len(batch.rejected))
        rows = zip(batch.read, batch.features, strict=True)
        return [(*row, vector) for row, vector in rows if vector is not None]

    def fill(self, batch: Batch, vectors: np.ndarray, bad: dict[int, str]) -> None:
        """Puts the encoded features in; those undecodable stay None."""
        new = batch.new()
        self.batches.update(len(new))
        self.encoded.inc(len(vectors))
        for i, reason in bad.items():
            photo = batch.read[new[i]][0]
            batch.rejected.append(reject_photo(photo, "corrupt_photo", reason))
        readable = [row for i, row in enumerate(new) if i not in bad]
        for row, vector in zip(readable, vectors, strict=True):
            batch.features[row] = vector


def clocked(
    encoder: Encoder, photos: list[bytes]
) -> tuple[np.ndarray, list[tuple[int, str]], int]:
    """Returns the result of `Encoder.encode`, and the milliseconds it took."""
    started = time.perf_counter()
    remedy = f"lower records.encoder_batch, photos at a time: {len(photos)} now"
    with named_memory_errors(remedy):
        vectors, bad = encoder.encode(photos)
    return vectors, bad, milliseconds_since(started)


def refuse_another(encoder: Encoder, job: Job) -> None:
    """Raises UserError where a worker finds other files than the launcher did."""
    if encoder.info.digest != job.encoder.digest:
        loaded, expected = map(short_digest, (encoder.info.digest, job.encoder.digest))
        raise UserError(
            f"this worker's {job.encoder.name} is not the encoder that the job was "
            f"started with: its digest is {loaded}, expected {expected}. Put the same "
            "file where every worker reads it"
        )
