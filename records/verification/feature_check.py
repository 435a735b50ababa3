"""Encodes a sample of photos again and compares their features (`verify --sample`).

This package has no encoder. A distribution registers one by an entry point of the group
`records.encoders`, a function

    (Manifest, files: Mapping[str, str]) -> Encoder

that loads the encoder of a record set. `files` maps `weights`, `model` or `preset` to
the path of the encoder's file, if it is no longer where the manifest says.
"""

import functools
import math
import os
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np

from records.batching import batched
from records.console import short_digest
from records.errors import UserError
from records.format import schema
from records.format.manifest import FILE_NAME, EncoderInfo, Manifest, ShardInfo
from records.format.photos import (
    FolderPhotos,
    Photos,
    check_photos,
    is_container,
    named_photos,
    read_all,
)
from records.format.schema import FeatureSpec, PhotoRecord
from records.format.shard_reader import ShardReader
from records.storage.files import is_directory
from records.storage.photo_directory import PhotoFile
from records.verification.shard_checks import Issue, RecordLocation

GROUP = "records.encoders"
BATCH = 32
OPEN_SHARDS = 16
# Relative difference allowed for the same encoder, beside the rounding of the dtype.
# Weights rounded to the 10 bits that a GPU may compute with change MobileNet's features
# by at most 0.005 and InceptionV3's by 0.002; another JPEG decoder changes them by 0.03
# or more.
TOLERANCE = 1e-2
# bfloat16 has 8 bits, and devices round at other places: features of small networks in
# bfloat16 are off those in float32 by 0.01 to 0.03.
TOLERANCE_BFLOAT16 = 5e-2


class Encoder(Protocol):
    """An encoder of photos to features.

    Attributes:
        info: its description, as in a manifest.
        exact: loads the same encoder in float32; None, or left out, if it computes in
            float32.
    """

    info: EncoderInfo

    def encode(
        self, photos: Sequence[bytes]
    ) -> tuple[np.ndarray, list[tuple[int, str]]]:
        """Returns the features of photos, given as the bytes of their files.

        Returns:
            Features, float32 [readable photos, *shape]; (index, reason) of each photo
            that cannot be read.
        """


class SampleRequest(NamedTuple):
    """The option `--sample` and those that belong to it.

    Attributes:
        number: of photos.
        photos: their directory or containers; None for those that the manifest names.
        files: paths of the encoder's `weights`, `model` or `preset`, if they moved.
        seed: of the random choice.
    """

    number: int
    photos: str | None = None
    files: Mapping[str, str] = MappingProxyType({})
    seed: int = 0


@dataclass
class SampleResult:
    """The result of comparing a sample.

    Attributes:
        asked: number of photos requested.
        tolerance: largest relative error allowed.
        compared: number of photos compared; there is an issue for each other one.
        identical: number of photos whose features are equal to the last bit.
        worst: largest relative error; None if no photo was compared.
        worst_at: shard, record and photo id of the largest error.
        precision: dtype in which the encoder computes.
        mean_deviation: mean over the photos of the relative difference between the
            stored features and those of the encoder in float32; None for an encoder
            that computes in float32.
        worst_deviation: the largest one.
    """

    asked: int
    tolerance: float
    compared: int = 0
    identical: int = 0
    worst: float | None = None
    worst_at: tuple[str, int, str] | None = None
    precision: str = "float32"
    mean_deviation: float | None = None
    worst_deviation: float | None = None

    def add_deviation(self, deviation: float) -> None:
        """Adds the deviation of a photo that `add` has counted."""
        before = (self.mean_deviation or 0.0) * (self.compared - 1)
        self.mean_deviation = (before + deviation) / self.compared
        self.worst_deviation = max(self.worst_deviation or 0.0, deviation)

    def add(self, place: RecordLocation, record: PhotoRecord, error: float) -> None:
        self.compared += 1
        self.identical += error == 0
        if self.worst is None or error > self.worst:
            self.worst = error
            self.worst_at = (place.shard, place.record, record.photo_id)

    def summary(self) -> dict[str, Any]:
        """Returns the object that `--json` prints; an infinite error is None."""
        finite = ("worst", "mean_deviation", "worst_deviation")
        return asdict(self) | {
            name: finite_or_none(getattr(self, name)) for name in finite
        }


def finite_or_none(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


class FeatureCheck:
    """A check of stored features against those that the encoder computes now.

    Args:
        directory: of the record set.
        manifest: its manifest.
        request: number and place of the photos, and the encoder's files.

    Raises:
        UserError: there is no encoder, or the photos cannot be read.
    """

    def __init__(self, directory: str, manifest: Manifest, request: SampleRequest):
        self.directory, self.manifest = directory, manifest
        self.photos = find_photos(manifest, request.photos)
        self.encoder = load_encoder(manifest, request.files)
        load_exact = getattr(self.encoder, "exact", None)
        self.exact: Encoder | None = load_exact and load_exact()
        infos = [info for shards in manifest.shards.values() for info in shards]
        self.wanted = choose(infos, request.number, request.seed)
        asked = sum(map(len, self.wanted.values()))
        precision = manifest.encoder.precision
        allowed = tolerance(manifest.features, precision)
        self.sample = SampleResult(asked, allowed, precision=precision)
        self.shard = functools.lru_cache(OPEN_SHARDS)(ShardReader)

    def problems(self, places: Iterable[RecordLocation]) -> Iterator[Issue]:
        """Encodes the photos of these records in batches; yields the issues."""
        loaded, expected = self.encoder.info.digest, self.manifest.encoder.digest
        if loaded != expected:
            yield Issue(
                FILE_NAME,
                None,
                f"encoder: the manifest says one of digest {short_digest(expected)}; "
                f"loaded one of {short_digest(loaded)}: other weights or settings, so "
                "no photo of the sample was compared",
            )
            return
        for batch in batched(places, BATCH):
            yield from self.compare(batch)

    def compare(self, places: Sequence[RecordLocation]) -> Iterator[Issue]:
        rows = []
        records = [self.read(place) for place in places]
        wanted = {r.photo_id: r.photo_sha256 for r in records if not r.encoded}
        files = read_all(self.photos, wanted)
        for place, record in zip(places, records, strict=True):
            photo, problem = self.photo(record, files.get(record.photo_id))
            if photo is not None:
                rows.append((place, record, photo))
            elif problem:
                yield record_issue(place, record, problem)
        if rows:
            yield from self.compare_rows(rows)

    def read(self, place: RecordLocation) -> PhotoRecord:
        reader = self.shard(os.path.join(self.directory, place.shard))
        return schema.decode(reader.read(place.offset), self.manifest.features)

    def photo(
        self, record: PhotoRecord, file: PhotoFile | None
    ) -> tuple[bytes | None, str | None]:
        """Returns the photo's bytes, or the problem why there are none, or neither."""
        if not np.isfinite(record.features).all():
            return None, None  # another check reports the record
        if record.encoded:
            return record.encoded, None
        if file is None:
            return None, f"no photo of that name in {self.photos.directory}"
        if not file.same:
            return None, f"{file.path} has changed since: its SHA-256 is another"
        return file.content, None

    def compare_rows(
        self, rows: Sequence[tuple[RecordLocation, PhotoRecord, bytes]]
    ) -> Iterator[Issue]:
        vectors, bad = self.encoder.encode([photo for _, _, photo in rows])
        reasons = dict(bad)
        for i, reason in bad:
            yield record_issue(*rows[i][:2], f"can no longer be decoded: {reason}")
        good = [row for i, row in enumerate(rows) if i not in reasons]
        exact = self.encode_exactly([photo for _, _, photo in good])
        for i, ((place, record, _), vector) in enumerate(
            zip(good, vectors, strict=True)
        ):
            error = relative_error(record.features, vector)
            self.sample.add(place, record, error)
            if exact is not None:
                self.sample.add_deviation(relative_error(record.features, exact[i]))
            if error > self.sample.tolerance:
                yield record_issue(
                    place,
                    record,
                    f"encoded again, its features differ by a relative {error:.2g}; "
                    f"{self.sample.tolerance:.2g} is allowed",
                )

    def encode_exactly(self, photos: Sequence[bytes]) -> np.ndarray | None:
        """Returns the features in float32; None if the encoder computes in it."""
        return self.exact.encode(photos)[0] if self.exact else None


def find_photos(manifest: Manifest, option: str | None) -> Photos:
    """Returns the photos, which must be there unless records keep them.

    Args:
        manifest: of the record set.
        option: directory or containers that `--photos` names.

    Raises:
        UserError: there are none, or containers cannot be read.
    """
    directory = option or manifest.sources.get("photos", "")
    check_photos(option)
    if manifest.configuration.get("records", {}).get("keep_photos"):
        return FolderPhotos(directory)
    if is_container(directory) or is_directory(directory):
        return named_photos(manifest.sources, option)
    raise UserError(
        f"--sample reads photos again, and {directory!r}, which the records were made "
        "from, is no directory here; say where they are with --photos DIR"
    )


def load_encoder(manifest: Manifest, files: Mapping[str, str]) -> Encoder:
    """Loads the manifest's encoder by the first entry point of the group."""
    loaders = sorted(entry_points(group=GROUP), key=lambda entry: entry.name)
    if not loaders:
        raise UserError(
            f"--sample needs an encoder, and no installed package has one (entry point "
            f"group {GROUP}); install tfcap here, or again if it is: pip install "
            "--editable ."
        )
    try:
        load = loaders[0].load()
    except ImportError as error:
        raise UserError(
            f"--sample: {loaders[0].value} does not load: {error}"
        ) from None
    return load(manifest, files)


def choose(
    infos: Sequence[ShardInfo], number: int, seed: int
) -> dict[str, frozenset[int]]:
    """Chooses records at random, evenly spread over the shards.

    Returns:
        Shard -> numbers of the chosen records.
    """
    rng = random.Random(seed)
    order = [info for info in infos if info.photos]
    rng.shuffle(order)
    quotas: Counter[str] = Counter()
    remaining = min(number, sum(info.photos for info in order))
    while remaining:
        chosen = [info for info in order if quotas[info.name] < info.photos][:remaining]
        quotas.update(info.name for info in chosen)
        remaining -= len(chosen)
    return {
        info.name: frozenset(rng.sample(range(info.photos), quotas[info.name]))
        for info in order
    }


def tolerance(features: FeatureSpec, precision: str = "float32") -> float:
    allowed = TOLERANCE_BFLOAT16 if precision == "bfloat16" else TOLERANCE
    return allowed + float(np.finfo(features.dtype).eps)


def relative_error(stored: np.ndarray, computed: np.ndarray) -> float:
    """Returns the length of the difference as a fraction of the stored length.

    It is 0 if both are equal in the stored dtype, and infinite if they cannot be
    compared.
    """
    computed = computed.astype(stored.dtype).astype(np.float64)
    stored = stored.astype(np.float64)
    difference = float(np.linalg.norm(stored - computed))
    if difference == 0:
        return 0.0
    length = float(np.linalg.norm(stored))
    return difference / length if length and math.isfinite(difference) else math.inf


def record_issue(place: RecordLocation, record: PhotoRecord, what: str) -> Issue:
    return Issue(place.shard, place.record, f"{record.photo_id}: {what}")
