"""Principal components of standardised features, from training photos.

Source: Pearson, "On lines and planes of closest fit to systems of points in space",
1901. Channels of a photo network are correlated: a fifth of them as components hold
nearly all that they say, and every layer above is that much smaller.
"""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from records.format import schema
from records.format.record_set import RecordSet, read_shard
from tfcap.models.layers.standardization import scale_and_shift

PHOTOS = 1000  # enough for 1,280 channels: of 64 cells each


def principal_components(records: RecordSet, units: int) -> np.ndarray:
    """Directions of largest variance, float32 [channels, units], strongest first.

    Scaled alike, so that the components' variances add up to `units`. Of the first
    photos as stored, which a hash has put in order: the same records give the same
    components.
    """
    scale, shift = scale_and_shift(records.manifest.moments)
    covariance, cells = np.zeros([len(scale)] * 2), 0
    for features in islice(training_features(records), PHOTOS):
        rows = features.reshape([-1, len(scale)]) * scale + shift
        covariance += rows.T @ rows
        cells += len(rows)
    values, vectors = np.linalg.eigh(covariance / cells)
    strongest = vectors[:, ::-1][:, :units]
    # An eigenvector's sign is anybody's: the largest weight is positive.
    largest = np.abs(strongest).argmax(0)
    strongest = strongest * np.sign(strongest[largest, np.arange(units)])
    held = values[::-1][:units].sum()
    return (strongest * np.sqrt(units / max(held, 1e-12))).astype(np.float32)


def training_features(records: RecordSet) -> Iterator[np.ndarray]:
    for path in records.shard_paths("train"):
        for serialized in read_shard(path):
            yield schema.decode(serialized, records.manifest.features).features
