"""Reads the features of a split's photos, for each model that captions them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import tensorflow as tf

from records.errors import UserError
from records.format.manifest import EncoderInfo
from records.format.record_set import RecordSet
from tfcap.data.augmentation import check_keeps_photos
from tfcap.data.pipeline import photo_batches
from tfcap.encoders import Encoder


@dataclass(frozen=True)
class FeatureSource:
    """The records and the encoder that a model's features come from.

    Attributes:
        records: the record set that is captioned.
        encoder: the model's fine-tuned encoder, which encodes the photos that the
            records keep; None reads the records' features.
    """

    records: RecordSet
    encoder: Encoder | None = None

    @property
    def info(self) -> EncoderInfo:
        return self.encoder.info if self.encoder else self.records.manifest.encoder

    @property
    def key(self) -> tuple[str, str]:
        """A key that is equal for sources of equal features."""
        return self.records.directory, self.info.digest

    @property
    def spec(self) -> tf.TensorSpec:
        features = self.records.manifest.features
        dtype = tf.float32 if self.encoder else features.dtype
        return tf.TensorSpec([None, *features.shape], dtype)

    def batches(
        self, split: str, size: int, numbers: Sequence[int] | None = None
    ) -> Iterator[tuple[list[str], tf.Tensor]]:
        """Yields ids of up to `size` photos, and their features as in `spec`.

        Args:
            split: the split.
            size: largest number of photos of a batch.
            numbers: numbers of the photos to read, ascending; None for all.

        Raises:
            UserError: there is an encoder, and the records keep no photos.
        """
        if self.encoder:
            check_keeps_photos(self.records)
        column = "encoded" if self.encoder else "features"
        encode = self.encoder.graph if self.encoder else tf.identity
        for batch in photo_batches(self.records, split, size, column, numbers):
            ids = [name.decode() for name in batch["photo_id"].numpy()]
            yield ids, encode(batch[column])


def distinct(sources: Sequence[FeatureSource]) -> list[FeatureSource]:
    """Returns each distinct source once."""
    return list({source.key: source for source in sources}.values())


def photos_of(
    sources: Sequence[FeatureSource],
    split: str,
    size: int,
    numbers: Sequence[int] | None = None,
) -> Iterator[tuple[list[str], list[tf.Tensor]]]:
    """Yields the photo ids of a batch, and its features from each source.

    Args:
        sources: sources of the features.
        split: the split.
        size: largest number of photos of a batch.
        numbers: numbers of the photos to read, ascending; None for all.

    Raises:
        UserError: the sources' records do not hold the same photos in the same order.
    """
    first = sources[0].records
    for source in sources:
        counts = [records.manifest.photos(split) for records in (first, source.records)]
        check_aligned(first, source.records, split, *map(range, counts))
    each = [source.batches(split, size, numbers) for source in sources]
    for parts in zip(*each, strict=True):
        ids, features = zip(*parts)
        for source, source_ids in zip(sources, ids):
            check_aligned(first, source.records, split, ids[0], source_ids)
        yield ids[0], list(features)


def check_aligned(
    first: RecordSet,
    other: RecordSet,
    split: str,
    ids: Sequence,
    other_ids: Sequence,
) -> None:
    """Raises UserError unless both hold the same photos in the same order.

    Args:
        first: a record set.
        other: another record set.
        split: the split.
        ids: ids of the photos in `first`, or their numbers.
        other_ids: ids of the photos in `other`, or their numbers.
    """
    if ids != other_ids:
        raise UserError(
            f"{first.directory} and {other.directory} do not hold the same photos of "
            f"split {split} in the same order: build both from the same photos with "
            "the same records.photos_per_shard"
        )
