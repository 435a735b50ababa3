"""Kernel ridge regression from a photo's features to its captions.

It predicts numbers about the references of a photo, such as the weight of an n-gram
(`expected_ngrams.py`), as a weighed sum of these numbers over the training photos.
Similar photos weigh most; some weights are negative.

    similarity  cosine of two photos' features: the mean over the grid, standardized by
                channel over the training photos
    kernel      exp((similarity - 1) / width)
    weights     kernel with each training photo @ (their own kernel + ridge)^-1

Sources: Cortes, Mohri and Weston, "A General Regression Technique for Learning
Transductions", ICML 2005, which predicts n-grams this way; Devlin et al., "Exploring
Nearest Neighbor Approaches for Image Captioning", 2015, which chooses captions by those
of similar photos.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from records.errors import UserError
from tfcap.config.decoding import RegressionConfig
from tfcap.data.features import FeatureSource, distinct, photos_of
from tfcap.models.layers.standardization import MOST_CHANNELS, inverse_deviation

# The kernel of this many photos is inverted in 512 MB, and kept in 256.
MOST_PHOTOS = 8192
BATCH = 100  # photos whose features are in memory
SIDE = 512  # of the blocks of a matrix in its inversion


class View(tf.experimental.ExtensionType):
    """The training photos' features from one encoder.

    Attributes:
        mean: Mean of each channel, float32 [channels].
        scale: Inverse standard deviation of each channel, float32 [channels].
        vectors: Standardized features of unit length, float16 [photos, channels].
    """

    mean: tf.Tensor
    scale: tf.Tensor
    vectors: tf.Tensor

    @classmethod
    def of(cls, vectors: np.ndarray) -> "View":
        """Standardizes features, float32 [photos, channels]."""
        mean, scale = vectors.mean(0), inverse_deviation(vectors.std(0))
        standard = (vectors - mean) * scale
        length = np.linalg.norm(standard, axis=1, keepdims=True)
        return cls(mean, scale, (standard / np.maximum(length, 1e-6)).astype("float16"))

    def similarity(self, features: tf.Tensor) -> tf.Tensor:
        """Returns the cosine with each training photo, float32 [batch, photos]."""
        vectors = mean_of_cells(features) - self.mean
        standard = tf.math.l2_normalize(vectors * self.scale, 1)
        known = tf.cast(self.vectors, tf.float32)
        return tf.matmul(standard, known, transpose_b=True)


class Regression(tf.experimental.ExtensionType):
    """Weighs the training photos for a photo.

    Attributes:
        views: Index of an encoder's features in a batch -> its view. The similarity of
            two photos is the mean over the views.
        inverse: Inverse of kernel plus ridge, float32 [photos, photos].
        width: Bandwidth of the kernel.
        weight: Weight of the prediction in a score.
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
        """Fits the photos of a split, at most `MOST_PHOTOS` of them (`spread`).

        Args:
            sources: Features for the model, or for each of an ensemble.
            split: `train`, `dev` or `test`.
            config: Settings of the regression.

        Raises:
            UserError: The features have too many channels, or the records of several
                encoders do not hold the same photos in the same order.
        """
        inputs, keys = distinct(sources), [source.key for source in sources]
        means = mean_features(inputs, split)
        views = {
            keys.index(source.key): View.of(vectors)
            for source, vectors in zip(inputs, means)
        }
        return cls.of_views(views, config)

    def weights(self, features: tf.Tensor | Sequence[tf.Tensor]) -> tf.Tensor:
        """Returns the weights of the training photos, float32 [batch, photos].

        They sum to 1.

        Args:
            features: [batch, *shape], or a list with the features of each model of an
                ensemble.
        """
        inputs = [features] if tf.is_tensor(features) else features
        views = [view.similarity(inputs[i]) for i, view in self.views.items()]
        similarity = tf.add_n(views) / len(views)
        weights = tf.matmul(tf.exp((similarity - 1) / self.width), self.inverse)
        # The regression predicts the difference from the mean over all photos.
        remainder = 1 - tf.reduce_sum(weights, 1, keepdims=True)
        return weights + remainder / weights.shape[1]


def kernel(views: Sequence[np.ndarray], width: float) -> np.ndarray:
    """Returns the kernel of the training photos, float64 [photos, photos].

    Args:
        views: Unit vectors of the photos, [photos, channels] for each encoder.
        width: Bandwidth.
    """
    views = [vectors.astype(np.float32) for vectors in views]
    photos = len(views[0])
    matrix = np.empty([photos, photos])
    for start in range(0, photos, SIDE):
        rows = matrix[start : start + SIDE]
        rows[:] = sum(
            (vectors[start : start + SIDE] @ vectors.T).astype(np.float64)
            for vectors in views
        )
        rows /= len(views)
        np.exp((rows - 1) / width, out=rows)
    return matrix


def invert(matrix: np.ndarray) -> None:
    """Inverts a symmetric positive definite matrix in place, by Gauss-Jordan.

    `numpy.linalg.inv` needs the memory of four such matrices.
    """
    for start in range(0, len(matrix), SIDE):
        block = slice(start, start + SIDE)
        pivot = np.linalg.inv(matrix[block, block])
        column, row = matrix[:, block] @ pivot, matrix[block].copy()
        for other in range(0, len(matrix), SIDE):
            if other != start:
                rows = slice(other, other + SIDE)
                matrix[rows] -= column[rows] @ row
        matrix[:, block] = -column
        matrix[block] = pivot @ row
        matrix[block, block] = pivot


def spread(photos: int) -> np.ndarray:
    """Returns the indices of at most `MOST_PHOTOS` photos, evenly spread."""
    count = min(photos, MOST_PHOTOS)
    return np.linspace(0, photos - 1, count).round().astype(int)


def mean_features(sources: Sequence[FeatureSource], split: str) -> list[np.ndarray]:
    """Reads the features of some photos (`spread`), averaged over the grid.

    Returns:
        float32 [photos, channels] for each source.
    """
    for source in sources:
        check_channels(source)
    numbers = spread(sources[0].records.manifest.photos(split)).tolist()
    means: list[list[np.ndarray]] = [[] for _ in sources]
    for _, batches in photos_of(sources, split, BATCH, numbers):
        for source_means, features in zip(means, batches):
            source_means.append(mean_of_cells(features))
    return [np.concatenate(source_means) for source_means in means]


def check_channels(source: FeatureSource) -> None:
    """Raises UserError if features have more than `MOST_CHANNELS` channels.

    The cosine of flattened grids says little and takes gigabytes.
    """
    channels = source.spec.shape[-1]
    if channels > MOST_CHANNELS:
        raise UserError(
            f"decoding.consensus.regression reads features of at most "
            f"{MOST_CHANNELS:,} channels; those of {source.records.directory} have "
            f"{channels:,}: build records with encoder.pooling avg or grid, or leave "
            "regression out"
        )


def mean_of_cells(features: tf.Tensor) -> tf.Tensor:
    """Averages features [batch, ..., channels] over the grid, in float32."""
    cells = tf.range(1, features.shape.rank - 1)
    return tf.reduce_mean(tf.cast(features, tf.float32), cells)
