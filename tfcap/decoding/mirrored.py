"""A photo seen twice: as it is, and in a mirror."""

import tensorflow as tf

from records.errors import UserError
from tfcap.decoding.ensemble import Ensemble
from tfcap.models.base import Captioner, Context


class Mirrored:
    """A model that sees each photo's grid in a mirror, left to right.

    It has what searches need of a model.
    """

    def __init__(self, model: Captioner | Ensemble):
        self.model = model
        self.initial_state, self.step = model.initial_state, model.step

    def encode(self, features: tf.Tensor) -> Context:
        """Features [photos, rows, columns, channels] -> context, a row a photo.

        Raises:
            UserError: the features are no grid.
        """
        if features.shape.rank != 4:
            raise UserError(
                "decoding.mirror needs features [rows, columns, channels]; these are "
                f"{features.shape.as_list()[1:]}. Build records with encoder.pooling "
                "grid, or leave `mirror` out"
            )
        return self.model.encode(features[:, :, ::-1])


def also_mirrored(model: Captioner | Ensemble) -> Ensemble:
    """The mean of what a model says of a photo and of its mirror image.

    Twice the work of a search, but no more weights. Source of averaging over mirrored
    and cut photos: Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep
    Convolutional Neural Networks", 2012, section 4.1.
    """
    return Ensemble([model, Mirrored(model)])
