"""Standardises features by the statistics that the records keep."""

import keras
import numpy as np

from records.format.manifest import FeatureStatistics

# More channels than any encoder has: a grid must have been flattened.
MOST_CHANNELS = 8192


def standardizer(moments: FeatureStatistics) -> keras.layers.Rescaling:
    """Returns a layer that gives features zero mean and unit deviation."""
    scale, shift = scale_and_shift(moments)
    # In float32 also under mixed precision, because features may be large.
    return keras.layers.Rescaling(scale.tolist(), shift.tolist(), dtype="float32")


def scale_and_shift(moments: FeatureStatistics) -> tuple[np.ndarray, np.ndarray]:
    """Returns scale and shift, float64 [channels], of `features * scale + shift`."""
    scale = inverse_deviation(np.array(moments.deviation))
    return scale, -np.array(moments.mean) * scale


def inverse_deviation(deviation: np.ndarray) -> np.ndarray:
    """Returns 1 / deviation, [channels]; 0 for a channel that is constant."""
    constant = deviation <= 1e-6 * deviation.max(initial=0)
    return np.where(constant, 0, 1 / np.where(constant, 1, deviation))
