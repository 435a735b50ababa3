"""Standardises features by the statistics that the records keep."""

import keras
import numpy as np

from records.format.manifest import FeatureStatistics


def scale_and_shift(moments: FeatureStatistics) -> tuple[np.ndarray, np.ndarray]:
    """Returns scale and shift, float64 [channels], of `features * scale + shift`.

    A feature that is constant over all photos becomes 0.
    """
    mean, deviation = np.array(moments.mean), np.array(moments.deviation)
    dead = deviation <= 1e-6 * np.max(deviation, initial=0)
    scale = np.where(dead, 0, 1 / np.where(dead, 1, deviation))
    return scale, -mean * scale


def standardizer(moments: FeatureStatistics) -> keras.layers.Rescaling:
    """Returns a layer that gives features zero mean and unit deviation."""
    scale, shift = scale_and_shift(moments)
    # In float32 also under mixed precision, because features may be large.
    return keras.layers.Rescaling(scale.tolist(), shift.tolist(), dtype="float32")
