"""How much each training photo's captions tell of a photo: kernel ridge regression.

What is predicted is what people write of a photo, in numbers, such as how much of an
n-gram (`expected_ngrams.py`): the sum of what they wrote of each training photo,
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

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from records.errors import UserError
from tfcap.config.decoding import RegressionConfig
from tfcap.data.features import FeatureSource, distinct, photos_of

# Beyond are grids that were flattened: no likeness in that, and gigabytes.
MOST_CHANNELS = 8192
# Their kernel is inverted in 512 MB, and kept in 256.
MOST_PHOTOS = 8192
BATCH = 100  # photos whose features are in memory
SIDE = 512  # of the blocks that a matrix is inverted by


class View(tf.experimental.ExtensionType):
    """The training photos as one encoder sees them.

    Attributes:
        mean, scale: what standardises, float32 [channels].
        vectors: standardised and of length 1, float16 [photos, channels].
    """

    mean: tf.Tensor
    scale: tf.Tensor
    vectors: tf.Tensor

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


class Regression(tf.experimental.ExtensionType):
    """Weighs the training photos for a photo.

    Attributes:
        views: by the place of their encoder's features among those of a batch; photos
            are alike as they are on average over the views.
        inverse: of the kernel with the ridge, float32 [photos, photos].
        width: of the kernel.
        weight: how much what it predicts shall count.
    """

    views: Mapping[int, View]
    inverse: tf.Tensor
    width: float
    weight: float

    @classmethod
    def of_views(cls, views: dict[int, View], config: RegressionConfig) -> "Regression":
        vectors = [view.vectors.numpy() for view in views.values()]
        matrix = kernel(vectors, config.width)
        matrix[np.diag_indices_from(matrix)] += config.ridge
        invert(matrix)
        return cls(views, matrix.astype(np.float32), config.width, config.weight)

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
        means = mean_features(once, split)
        views = {
            keys.index(source.key): View.of(vectors)
            for source, vectors in zip(once, means)
        }
        return cls.of_views(views, config)

    def weights(self, features: tf.Tensor | Sequence[tf.Tensor]) -> tf.Tensor:
        """Of each training photo, float32 [batch, photos]; their sum is 1.

        Args:
            features: [batch, *shape], or of each model of an ensemble its own.
        """
        given = [features] if tf.is_tensor(features) else features
        seen = [view.likeness(given[place]) for place, view in self.views.items()]
        alike = tf.add_n(seen) / len(seen)
        found = tf.matmul(tf.exp((alike - 1) / self.width), self.inverse)
        # What is predicted is the difference from the mean over all photos.
        return found + (1 - tf.reduce_sum(found, 1, keepdims=True)) / found.shape[1]


def kernel(views: Sequence[np.ndarray], width: float) -> np.ndarray:
    """Of each training photo with each, float64 [photos, photos].

    Args:
        views: the photos' vectors of length 1.
    """
    vectors = [own.astype(np.float32) for own in views]
    photos = len(vectors[0])
    found = np.empty([photos, photos])
    for start in range(0, photos, SIDE):
        rows = found[start : start + SIDE]
        rows[:] = sum(
            (own[start : start + SIDE] @ own.T).astype(np.float64) for own in vectors
        )
        rows /= len(vectors)
        np.exp((rows - 1) / width, out=rows)
    return found


def invert(matrix: np.ndarray) -> None:
    """Inverts a symmetric positive definite matrix in its place, by Gauss and Jordan.

    `numpy.linalg.inv` takes the memory of four such matrices.
    """
    for start in range(0, len(matrix), SIDE):
        own = slice(start, start + SIDE)
        pivot = np.linalg.inv(matrix[own, own])
        column, row = matrix[:, own] @ pivot, matrix[own].copy()
        for other in range(0, len(matrix), SIDE):
            if other != start:
                rows = slice(other, other + SIDE)
                matrix[rows] -= column[rows] @ row
        matrix[:, own] = -column
        matrix[own] = pivot @ row
        matrix[own, own] = pivot


def spread(photos: int) -> np.ndarray:
    """Which of so many photos are looked at, int [at most `MOST_PHOTOS`]."""
    count = min(photos, MOST_PHOTOS)
    return np.linspace(0, photos - 1, count).round().astype(int)


def mean_features(sources: Sequence[FeatureSource], split: str) -> list[np.ndarray]:
    """The means of the features of some photos (`spread`), of each source.

    Returns:
        float32 [photos, channels].
    """
    for source in sources:
        check_channels(source)
    numbers = spread(sources[0].records.manifest.photos(split))
    means = [[] for _ in sources]
    for _, batches in photos_of(sources, split, BATCH, numbers):
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
