"""Where the features come from that models caption a split by."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import tensorflow as tf

from records.errors import UserError
from records.manifest import EncoderInfo
from records.reader import RecordSet
from tfcap.decoding.ensemble import Ensemble
from tfcap.decoding.neighbours import check_same_photos
from tfcap.decoding_config import DecodingConfig
from tfcap.encoders import Encoder
from tfcap.input_pipeline import photo_batches
from tfcap.members import tuned_encoders
from tfcap.models.base import Captioner
from tfcap.photo_pixels import check_keeps_photos


@dataclass(frozen=True)
class FeatureSource:
    """Of one model.

    Attributes:
        records: what it captions.
        encoder: its own, which makes features of the photos that the records keep;
            None: the records' features are what it reads.
    """

    records: RecordSet
    encoder: Encoder | None = None

    @property
    def info(self) -> EncoderInfo:
        return self.encoder.info if self.encoder else self.records.manifest.encoder

    @property
    def spec(self) -> tf.TensorSpec:
        features = self.records.manifest.features
        dtype = tf.float32 if self.encoder else features.dtype
        return tf.TensorSpec([None, *features.shape], dtype)

    def batches(self, split: str, size: int) -> Iterator[tuple[list[str], tf.Tensor]]:
        """Yields ids of up to `size` photos, and their features as in `spec`."""
        column = "encoded" if self.encoder else "features"
        for batch in photo_batches(self.records, split, size, column):
            ids = [name.decode() for name in batch["photo_id"].numpy()]
            encode = self.encoder.graph if self.encoder else tf.identity
            yield ids, encode(batch[column])


def sources_of(
    model: Captioner | Ensemble, read: Sequence[RecordSet]
) -> list[FeatureSource]:
    """The source of each member.

    Args:
        read: the records of each.

    Raises:
        UserError: a member has an encoder of its own, and its records keep no photos.
    """
    sources = []
    for tuned, records in zip(tuned_encoders(model), read, strict=True):
        if tuned is not None:
            check_keeps_photos(records)
        sources.append(FeatureSource(records, tuned.frozen() if tuned else None))
    return sources


def check_neighbours(model: Captioner | Ensemble, decoding: DecodingConfig) -> None:
    """Raises UserError where training photos cannot be compared with a photo."""
    votes = decoding.consensus and decoding.consensus.neighbours
    if votes and any(tuned_encoders(model)):
        raise UserError(
            "decoding.consensus.neighbours finds training photos by the features in "
            "the records, which are not those of an encoder that was trained along "
            "(training.fine_tuning): leave neighbours out"
        )


def distinct(sources: Sequence[FeatureSource]) -> list[FeatureSource]:
    """Each source once."""
    by_name = {(one.records.directory, one.info.digest): one for one in sources}
    return list(by_name.values())


def photos_of(
    sources: Sequence[FeatureSource], split: str, size: int
) -> Iterator[tuple[list[str], list[tf.Tensor]]]:
    """Yields photo ids of a batch, and its features of each source.

    Raises:
        UserError: the sources' records do not hold the same photos in the same order.
    """
    first, nothing = sources[0].records, ([], None)
    each = [source.batches(split, size) for source in sources]
    for parts in zip_longest(*each, fillvalue=nothing):
        ids, features = zip(*parts)
        for source, own in zip(sources, ids):
            check_same_photos(first, source.records, split, ids[0], own)
        yield ids[0], list(features)
