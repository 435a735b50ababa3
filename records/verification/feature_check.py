"""`verify --sample`: some photos are encoded again, and their features compared.

The encoder is that of whoever registers one: this package has none. A distribution
does so by an entry point of the group `records.encoders`, a function

    (Manifest, files: Mapping[str, str]) -> Encoder

that loads the encoder a record set was made with; `files` says where its file is now,
`weights` or `model`, if it is no longer where the manifest says.
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
from records.errors import UserError
from records.format import schema
from records.format.manifest import FILE_NAME, EncoderInfo, Manifest, ShardInfo
from records.format.schema import FeatureSpec, PhotoRecord
from records.format.shard_reader import ShardReader
from records.storage.files import is_directory
from records.storage.photo_directory import PhotoFolder, check_directory, named_folder
from records.verification.shard_checks import Issue, RecordLocation

GROUP = "records.encoders"
BATCH = 32
SHORT = 12
OPEN_SHARDS = 16
# What the same encoder may differ by, beside the rounding of the dtype. Weights rounded
# to the 10 bits that a GPU may compute with move MobileNet's features by 0.005 at most,
# InceptionV3's by 0.002; another JPEG decoder moves them by 0.03 and more.
TOLERANCE = 1e-2


class Encoder(Protocol):
    """From photo bytes to features.

    Attributes:
        info: what the manifest of its records says of it.
    """

    info: EncoderInfo

    def encode(
        self, photos: Sequence[bytes]
    ) -> tuple[np.ndarray, list[tuple[int, str]]]:
        """Features float32 [readable photos, *shape], (index, why) of the others."""


class SampleRequest(NamedTuple):
    """What `--sample` and the options beside it say.

    Attributes:
        number: of photos.
        photos: their directory; None for the one that the manifest names.
        files: where the encoder's `weights` or `model` are, if they moved.
        seed: of the choice.
    """

    number: int
    photos: str | None = None
    files: Mapping[str, str] = MappingProxyType({})
    seed: int = 0


@dataclass
class SampleResult:
    """What came of it.

    Attributes:
        asked: photos to be compared.
        compared: those that were; problems tell of the others.
        identical: those whose features are the same to the last bit.
        worst: largest relative error among them; None where none was compared, or one
            is beyond numbers.
        worst_at: shard, record and photo id of that one.
        tolerance: of the relative error.
    """

    asked: int
    tolerance: float
    compared: int = 0
    identical: int = 0
    worst: float | None = None
    worst_at: tuple[str, int, str] | None = None

    def add(self, place: RecordLocation, record: PhotoRecord, error: float) -> None:
        self.compared += 1
        self.identical += error == 0
        if self.worst is None or error > self.worst:
            self.worst = error
            self.worst_at = (place.shard, place.record, record.photo_id)

    def summary(self) -> dict[str, Any]:
        """What `--json` prints."""
        finite = self.worst is not None and math.isfinite(self.worst)
        return {**asdict(self), "worst": self.worst if finite else None}


class FeatureCheck:
    """Compares photos' features with those that the encoder gives now.

    Args:
        directory: of the record set.
        manifest: its manifest.
        wish: which photos, and where they and the encoder's file are.

    Raises:
        UserError: there is no encoder or no directory of photos.
    """

    def __init__(self, directory: str, manifest: Manifest, wish: SampleRequest):
        self.directory, self.manifest = directory, manifest
        self.folder = PhotoFolder(photo_directory(manifest, wish.photos))
        self.encoder = load_encoder(manifest, wish.files)
        infos = [info for held in manifest.shards.values() for info in held]
        self.wanted = choose(infos, wish.number, wish.seed)
        asked = sum(map(len, self.wanted.values()))
        self.sample = SampleResult(asked, tolerance(manifest.features))
        self.shard = functools.lru_cache(OPEN_SHARDS)(ShardReader)

    def problems(self, places: Iterable[RecordLocation]) -> Iterator[Issue]:
        """Encodes the photos of these records, batch by batch."""
        found, said = self.encoder.info.digest, self.manifest.encoder.digest
        if found != said:
            yield Issue(
                FILE_NAME,
                None,
                f"encoder: the manifest says one of digest {said[:SHORT]}…; loaded one "
                f"of {found[:SHORT]}…: other weights or settings, so no photo of the "
                "sample was compared",
            )
            return
        for batch in batched(places, BATCH):
            yield from self.compare(batch)

    def compare(self, places: Sequence[RecordLocation]) -> Iterator[Issue]:
        rows = []
        for place in places:
            record = self.read(place)
            photo, problem = self.photo(record)
            if photo is not None:
                rows.append((place, record, photo))
            elif problem:
                yield problem_of(place, record, problem)
        if rows:
            yield from self.compare_rows(rows)

    def read(self, place: RecordLocation) -> PhotoRecord:
        reader = self.shard(os.path.join(self.directory, place.shard))
        return schema.decode(reader.read(place.offset), self.manifest.features)

    def photo(self, record: PhotoRecord) -> tuple[bytes | None, str | None]:
        """The photo's bytes, or what became of it; neither where it makes no sense."""
        if not np.isfinite(record.features).all():
            return None, None  # told of the record already
        if record.encoded:
            return record.encoded, None
        file = self.folder.read(record.photo_id, record.photo_sha256)
        if file is None:
            return None, f"no photo of that name in {self.folder.directory}"
        if not file.same:
            return None, f"{file.path} has changed since: its SHA-256 is another"
        return file.content, None

    def compare_rows(
        self, rows: Sequence[tuple[RecordLocation, PhotoRecord, bytes]]
    ) -> Iterator[Issue]:
        vectors, bad = self.encoder.encode([photo for _, _, photo in rows])
        reasons = dict(bad)
        for i, reason in bad:
            yield problem_of(*rows[i][:2], f"can no longer be decoded: {reason}")
        good = [row for i, row in enumerate(rows) if i not in reasons]
        for (place, record, _), vector in zip(good, vectors, strict=True):
            error = relative_error(record.features, vector)
            self.sample.add(place, record, error)
            if error > self.sample.tolerance:
                yield problem_of(
                    place,
                    record,
                    f"encoded again, its features differ by a relative {error:.2g}; "
                    f"{self.sample.tolerance:.2g} is allowed",
                )


def photo_directory(manifest: Manifest, given: str | None) -> str:
    """Where the photos are, which need not be anywhere if the records keep them."""
    directory = named_folder(manifest.sources, given).directory
    kept = manifest.configuration.get("records", {}).get("keep_photos")
    check_directory(given)
    if kept or is_directory(directory):
        return directory
    raise UserError(
        f"--sample reads photos again, and the directory {directory!r}, which the "
        "records were made from, is not there; say where they are with --photos DIR"
    )


def load_encoder(manifest: Manifest, files: Mapping[str, str]) -> Encoder:
    """The encoder that the manifest names, from the first distribution that has one."""
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
    """Shard -> numbers of the records to look at, spread over the shards evenly."""
    rng = random.Random(seed)
    order = [info for info in infos if info.photos]
    rng.shuffle(order)
    quotas: Counter[str] = Counter()
    left = min(number, sum(info.photos for info in order))
    while left:
        taking = [info for info in order if quotas[info.name] < info.photos][:left]
        quotas.update(info.name for info in taking)
        left -= len(taking)
    return {
        info.name: frozenset(rng.sample(range(info.photos), quotas[info.name]))
        for info in order
    }


def tolerance(features: FeatureSpec) -> float:
    return TOLERANCE + float(np.finfo(features.dtype).eps)


def relative_error(stored: np.ndarray, again: np.ndarray) -> float:
    """Length of the difference, as a fraction of the length of what is stored.

    0 if both are the same once `again` has the stored dtype; infinite if they cannot be
    compared.
    """
    again = again.astype(stored.dtype).astype(np.float64)
    stored = stored.astype(np.float64)
    difference = float(np.linalg.norm(stored - again))
    if difference == 0:
        return 0.0
    length = float(np.linalg.norm(stored))
    return difference / length if length and math.isfinite(difference) else math.inf


def problem_of(place: RecordLocation, record: PhotoRecord, what: str) -> Issue:
    return Issue(place.shard, place.record, f"{record.photo_id}: {what}")
