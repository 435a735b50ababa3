"""Principal components of standardised features, from training photos.

Source: Pearson, "On lines and planes of closest fit to systems of points in space",
1901. The channels of an encoder are correlated. A fifth as many components keep nearly
all of their variance, and make the layers above smaller.
"""

from itertools import islice

import numpy as np

from records.format.record_set import RecordSet
from tfcap.models.layers.standardization import scale_and_shift

PHOTOS = 1000  # with 64 cells each, enough for 1,280 channels


def principal_components(records: RecordSet, units: int) -> np.ndarray:
    """Returns the directions of largest variance, the strongest first.

    They are computed from the first photos as stored. A hash orders these, so they are
    a random sample, and the same records give the same components. All are scaled by
    one factor, such that the components' variances add up to `units`.

    Args:
        records: with a split train.
        units: number of components.

    Returns:
        float32 [channels, units].
    """
    scale, shift = scale_and_shift(records.manifest.moments)
    covariance, cells = np.zeros([len(scale)] * 2), 0
    for record in islice(records.records("train"), PHOTOS):
        rows = record.features.reshape([-1, len(scale)]) * scale + shift
        covariance += rows.T @ rows
        cells += len(rows)
    values, vectors = np.linalg.eigh(covariance / cells)
    strongest = vectors[:, ::-1][:, :units]
    # An eigenvector's sign is arbitrary; the largest weight is made positive.
    largest = np.abs(strongest).argmax(0)
    strongest = strongest * np.sign(strongest[largest, np.arange(units)])
    held = values[::-1][:units].sum()
    return (strongest * np.sqrt(units / max(held, 1e-12))).astype(np.float32)
