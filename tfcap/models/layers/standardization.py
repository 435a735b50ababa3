"""Features brought to zero mean and unit deviation, by the records' moments."""

import keras
import numpy as np

from records.format.manifest import FeatureStatistics


def scale_and_shift(moments: FeatureStatistics) -> tuple[np.ndarray, np.ndarray]:
    """What standardises: features * scale + shift, each float64 [channels].

    A feature that is the same in every photo becomes 0.
    """
    mean, deviation = np.array(moments.mean), np.array(moments.deviation)
    dead = deviation <= 1e-6 * np.max(deviation, initial=0)
    scale = np.where(dead, 0, 1 / np.where(dead, 1, deviation))
    return scale, -mean * scale


def standardizer(moments: FeatureStatistics) -> keras.layers.Rescaling:
    """Brings features to zero mean and unit deviation over the training photos."""
    scale, shift = scale_and_shift(moments)
    # In float32 whatever the other layers compute in: features may be large.
    return keras.layers.Rescaling(scale.tolist(), shift.tolist(), dtype="float32")
