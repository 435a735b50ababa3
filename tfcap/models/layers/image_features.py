"""Makes a photo's cells, which attending models attend to, from its features.

    features -> standardise -> principal components -> mirror ─┬─ and ─ cells + places
                                                               └─ mean

A grid [rows, columns, channels] has rows x columns cells. Features [cells, channels],
such as the patches of a vision transformer, have no mirror image. A pooled vector is
one cell.
"""

from math import prod

import keras
import tensorflow as tf

from records.errors import UserError
from records.format.manifest import FeatureStatistics
from records.format.record_set import RecordSet
from records.format.schema import FeatureSpec
from tfcap.config.model import AttendingConfig
from tfcap.models.layers.pca import principal_components
from tfcap.models.layers.standardization import MOST_CHANNELS, standardizer
from tfcap.ops.dropout import dropout
from tfcap.ops.random import Seeds, fold_in, uniform

CELLS, MEAN, FLIP = range(3)


class ImageFeatures(keras.layers.Layer):
    """A layer from features to cells.

    It maps features [photos, *shape] to cells [photos, cells, units] and their mean
    [photos, units].

    Raises:
        UserError: the features have no cells.
    """

    def __init__(
        self,
        config: AttendingConfig,
        features: FeatureSpec,
        moments: FeatureStatistics,
    ):
        # In float32 also under mixed precision, because features may be large.
        super().__init__(name="cells", dtype="float32")
        check_shape(features.shape, config)
        self.config, self.shape = config, features.shape
        channels = features.shape[-1]
        self.units = min(config.components or channels, channels)
        self.count = prod(features.shape[:-1])
        self.standardize = standardizer(moments)
        self.principal = None
        if config.components:
            self.principal = keras.layers.Dense(
                self.units,
                use_bias=False,
                trainable=False,
                name="principal",
                dtype=self.dtype_policy,
            )
        self.positions = None
        if config.positions and self.count > 1:
            self.positions = self.add_weight(
                [self.count + config.pooled_cell, self.units],
                keras.initializers.RandomNormal(stddev=0.1),
                name="positions",
            )

    def prepare(self, records: RecordSet) -> None:
        """Computes the principal components."""
        if self.principal:
            self.principal.kernel.assign(principal_components(records, self.units))

    def call(
        self, features: tf.Tensor, seed: Seeds = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        cells = self.standardize(features)
        if self.principal:
            cells = self.principal(cells)
        cells = self.mirrored(cells, seed)
        cells = tf.reshape(cells, [-1, self.count, self.units])
        mean = tf.reduce_mean(cells, 1)
        if self.config.pooled_cell and self.count > 1:
            cells = tf.concat([cells, mean[:, tf.newaxis]], 1)
        rate = self.config.image_dropout
        cells = dropout(cells, rate, seed, CELLS)
        if self.positions is not None:
            cells += self.positions
        return cells, dropout(mean, rate, seed, MEAN)

    def mirrored(self, cells: tf.Tensor, seed: Seeds) -> tf.Tensor:
        """Mirrors half of the grids left to right; seeds decide which."""
        if seed is None or not self.config.flip or len(self.shape) != 3:
            return cells
        mirrored = uniform(fold_in(seed, FLIP)) < 0.5
        mirrored = mirrored[:, tf.newaxis, tf.newaxis, tf.newaxis]
        return tf.where(mirrored, cells[:, :, ::-1], cells)


def check_shape(shape: tuple[int, ...], config: AttendingConfig) -> None:
    if len(shape) > 3 or shape[-1] > MOST_CHANNELS:
        raise UserError(
            f"model.name {config.name} attends to cells, but features of shape "
            f"{list(shape)} have no separate cells; build records with "
            "encoder.pooling grid (or avg), or use model.name merge"
        )
