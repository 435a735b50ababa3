"""How much each training photo's captions tell of a photo: kernel ridge regression.

What is predicted is what people write of a photo, in numbers, such as how much of an
n-gram (`expected_captions.py`): the sum of what they wrote of each training photo,
times its weight. Like photos weigh most; some weigh less than nothing.

    likeness  the cosine of two photos' features: the mean over cells, each channel
              brought to zero mean and unit deviation over the training photos
    kernel    exp((likeness - 1) / width)
    weights   kernel with each training photo, times (their own kernel + ridge)^-1

Sources: Cortes, Mohri and Weston, "A General Regression Technique for Learning
Transductions", ICML 2005, where n-grams are predicted so. That captions of like photos
can choose among captions: Devlin et al., "Exploring Nearest Neighbor Approaches for
Image Captioning", 2015.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from records.errors import UserError
from tfcap.decoding_config import RegressionConfig
from tfcap.feature_sources import FeatureSource, distinct, photos_of

# Beyond are grids that were flattened: no likeness in that, and gigabytes.
MOST_CHANNELS = 8192
# Their kernel is inverted and kept: 256 MB.
MOST_PHOTOS = 8192
BATCH = 100  # photos whose features are in memory


class View(NamedTuple):
    """The training photos as one encoder sees them.

    Attributes:
        mean, scale: what standardises, float32 [channels].
        vectors: standardised and of length 1, float16 [photos, channels].
    """

    mean: np.ndarray
    scale: np.ndarray
    vectors: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray) -> "View":
        """Of features as they are, float32 [photos, channels]."""
        mean, deviation = vectors.mean(0), vectors.std(0)
        dead = deviation <= 1e-6 * deviation.max(initial=0)
        scale = np.where(dead, 0, 1 / np.where(dead, 1, deviation)).astype(np.float32)
        standard = (vectors - mean) * scale
        length = np.linalg.norm(standard, axis=1, keepdims=True)
        return cls(mean, scale, (standard / np.maximum(length, 1e-6)).astype("float16"))

    def likeness(self, features: tf.Tensor) -> tf.Tensor:
        """Cosine with each training photo, float32 [batch, photos]."""
        vectors = mean_of_cells(features) - self.mean
        standard = tf.math.l2_normalize(vectors * self.scale, 1)
        known = tf.cast(self.vectors, tf.float32)
        return tf.matmul(standard, known, transpose_b=True)

    def among_themselves(self) -> np.ndarray:
        """Cosine of each training photo with each, float64 [photos, photos]."""
        vectors = self.vectors.astype(np.float32)
        return (vectors @ vectors.T).astype(np.float64)


class Regression:
    """Weighs the training photos for a photo.

    Args:
        views: by the place of their encoder's features among those of a batch; photos
            are alike as they are on average over the views.
    """

    def __init__(self, views: dict[int, View], config: RegressionConfig):
        self.views, self.config = views, config
        alike = sum(view.among_themselves() for view in views.values()) / len(views)
        kernel = np.exp((alike - 1) / config.width)
        kernel[np.diag_indices_from(kernel)] += config.ridge
        self.inverse = np.linalg.inv(kernel).astype(np.float32)

    @classmethod
    def of_split(
        cls, sources: Sequence[FeatureSource], split: str, config: RegressionConfig
    ) -> "Regression":
        """Of the photos of a split, or of `MOST_PHOTOS` of them (`spread`).

        Args:
            sources: of each model of an ensemble, or of the only one.

        Raises:
            UserError: features are no vectors or grids of them; records of several
                encoders do not hold the same photos in the same order.
        """
        once, keys = distinct(sources), [source.key for source in sources]
        views = {
            keys.index(source.key): View.of(vectors[spread(len(vectors))])
            for source, vectors in zip(once, mean_features(once, split))
        }
        return cls(views, config)

    def weights(self, features: tf.Tensor | Sequence[tf.Tensor]) -> tf.Tensor:
        """Of each training photo, float32 [batch, photos]; their sum is 1.

        Args:
            features: [batch, *shape], or of each model of an ensemble its own.
        """
        given = [features] if tf.is_tensor(features) else features
        seen = [view.likeness(given[place]) for place, view in self.views.items()]
        alike = tf.add_n(seen) / len(seen)
        kernel = tf.exp((alike - 1) / self.config.width)
        found = tf.matmul(kernel, self.inverse)
        # What is predicted is the difference from the mean over all photos.
        return found + (1 - tf.reduce_sum(found, 1, keepdims=True)) / found.shape[1]


def spread(photos: int) -> np.ndarray:
    """Which of so many photos are looked at, int [at most `MOST_PHOTOS`]."""
    count = min(photos, MOST_PHOTOS)
    return np.linspace(0, photos - 1, count).round().astype(int)


def mean_features(sources: Sequence[FeatureSource], split: str) -> list[np.ndarray]:
    """The means of photos' features of each source, float32 [photos, channels]."""
    for source in sources:
        check_channels(source)
    means = [[] for _ in sources]
    for _, batches in photos_of(sources, split, BATCH):
        for own, features in zip(means, batches):
            own.append(mean_of_cells(features))
    return [np.concatenate(own) for own in means]


def check_channels(source: FeatureSource) -> None:
    """Raises UserError where features are no vectors or grids of them."""
    channels = source.spec.shape[-1]
    if channels > MOST_CHANNELS:
        raise UserError(
            f"decoding.consensus.regression looks at features of at most "
            f"{MOST_CHANNELS:,} channels; those of {source.records.directory} have "
            f"{channels:,}: build records with encoder.pooling avg or grid, or leave "
            "regression out"
        )


def mean_of_cells(features: tf.Tensor) -> tf.Tensor:
    """[batch, ..., channels] -> float32 [batch, channels]."""
    cells = tf.range(1, features.shape.rank - 1)
    return tf.reduce_mean(tf.cast(features, tf.float32), cells)
