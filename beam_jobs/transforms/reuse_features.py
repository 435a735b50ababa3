"""Takes features over from an earlier record set, so that only new photos are encoded.

    shards of --reuse -> location of each photo's record -> joined to the photos
                         the record's features <- read where they are written

Only a path and an offset of each record are joined. A step holds the features
of one batch and `OPEN_SHARDS` open files, however large the earlier set is. Its shards
are read twice, once for the photos' ids and once for their features; workers on other
machines must reach them.

Features are taken over if the photo's bytes have the same SHA-256 and the encoder has
the same digest, shape and dtype. The shards have the same bytes as without `--reuse` if
the encoder gives a photo the same features in any batch, as those tried on a CPU do.
"""

import functools
import hashlib
import math
import os
from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np

from beam_jobs.build_job import Job
from beam_jobs.elements import Photo
from beam_jobs.io.beam_storage import FileDoFn
from beam_jobs.monitoring.counters import DAMAGED, counter
from beam_jobs.transforms.read_captions import PLACES, PhotoAttribute, WriteFacts
from records.batching import batched
from records.console import short_digest
from records.errors import UserError
from records.format import schema
from records.format.manifest import Manifest
from records.format.record_set import RecordSet
from records.format.schema import FeatureSpec
from records.format.shard_reader import ShardReader

OPEN_SHARDS = 64
READERS = 64  # steps that the earlier shards are read in


def open_earlier(path: str, job: Job) -> RecordSet:
    """Opens the record set of `--reuse`.

    Args:
        path: of the record set.
        job: the build.

    Raises:
        UserError: it is the output itself, is not a whole record set, or its features
            are not those that this build would make.
    """
    if os.path.realpath(path) == os.path.realpath(job.output):
        raise UserError(
            f"--reuse: {path} is --output itself; write the new records to "
            "another directory"
        )
    try:
        earlier = RecordSet.open(path)
    except UserError as error:
        raise UserError(f"--reuse: {error}") from None
    refuse_other_features(earlier.manifest, job)
    return earlier


def refuse_other_features(earlier: Manifest, job: Job) -> None:
    theirs, ours = earlier.encoder, job.encoder
    if theirs.digest != ours.digest:
        raise UserError(
            f"--reuse: {job.reuse} was encoded by {theirs.name} of digest "
            f"{short_digest(theirs.digest)}, this build encodes by {ours.name} of "
            f"digest {short_digest(ours.digest)}; use the same encoder, or leave "
            "--reuse out"
        )
    if earlier.features != job.features:
        raise UserError(
            f"--reuse: {job.reuse} holds features {describe(earlier.features)}, this "
            f"build writes {describe(job.features)}; set records.dtype to the same, "
            "or leave --reuse out"
        )


def describe(features: FeatureSpec) -> str:
    return f"{list(features.shape)} {features.dtype}"


def earlier_places(pipeline: beam.Pipeline, job: Job) -> beam.PCollection:
    """Makes (partition, Block) of the locations of all records in `--reuse`."""
    facts_of = functools.partial(place_facts, features=job.features)
    return (
        pipeline
        | "earlier set" >> beam.Create([job.reuse])
        | "earlier shards" >> beam.ParDo(ListShards(job))
        | "spread shards" >> beam.Reshuffle()
        | "read places" >> beam.ParDo(WriteFacts(job.output, facts_of))
    )


class ListShards(FileDoFn):
    """Path of an earlier record set -> lists of paths of its shards."""

    def __init__(self, job: Job):
        self.job = job

    def process(self, path: str):
        return list_shards(path, self.job)


def list_shards(path: str, job: Job) -> list[list[str]]:
    """Returns the paths of the earlier shards, in `READERS` lists at most.

    The worker that reads the set checks it again.
    """
    earlier = open_earlier(path, job)
    paths = [
        os.path.join(earlier.directory, shard.name)
        for shards in earlier.manifest.shards.values()
        for shard in shards
    ]
    size = math.ceil(len(paths) / READERS) or 1
    return [list(batch) for batch in batched(paths, size)]


def place_facts(
    paths: Iterable[str], features: FeatureSpec
) -> Iterator[PhotoAttribute]:
    """Yields the location of each readable record in some of the earlier shards."""
    damaged = counter(DAMAGED)
    for path in paths:
        for offset, serialized in ShardReader(path).entries():
            try:
                record = schema.decode(serialized or b"", features)
            except UserError:
                damaged.inc()
            else:
                yield record.photo_id, PLACES, (path, offset)


class EarlierFeatures:
    """A reader of features from the earlier record set, for one thread.

    Photos asked for in the order in which shards hold them are read without going back.

    Args:
        features: their shape and dtype.
    """

    def __init__(self, features: FeatureSpec):
        self.features = features
        self.damaged = counter(DAMAGED)
        self.shard = functools.lru_cache(OPEN_SHARDS)(ShardReader)

    def find(self, photo: Photo, content: bytes) -> np.ndarray | None:
        """Returns the features of a photo with these bytes, or None."""
        if photo.earlier is None:
            return None
        try:
            serialized = self.shard(photo.earlier.path).read(photo.earlier.offset)
            record = schema.decode(serialized, self.features)
        except UserError:
            self.damaged.inc()
            return None
        digest = hashlib.sha256(content).digest()
        same = (record.photo_id, record.photo_sha256) == (photo.photo_id, digest)
        return record.features if same else None
