"""An encoder that is trained together with the captioner."""

from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf

from records.console import short_digest
from records.errors import UserError
from records.format.manifest import EncoderInfo
from tfcap.config.encoder import EncoderConfig, NetworkConfig
from tfcap.encoders.backbone import Backbone, layer_index
from tfcap.encoders.encoder import (
    Encoder,
    assemble,
    describe,
    features_of_photos,
    features_of_view,
    load_network,
)


class TrainableEncoder(keras.layers.Layer):
    """A trainable layer from pixels to features.

    Batch normalisation stays in inference mode. Its moving statistics come from
    ImageNet's million photos. The few photos of a replica would give noisy statistics
    that differ between replicas, and captions are written with the moving statistics.
    Scale and offset are trained like other weights.

    Args:
        network: a Keras model.
        config: settings of cutting, pooling and averaging over views.
        made_with: the encoder of the records, from which training starts.
        first: the first layer that is trained; None for all layers.

    Raises:
        UserError: the network is no Keras model or computes in another precision than
            float32, it has no such layer, or no layer from `first` on has weights.
    """

    def __init__(
        self,
        network: Backbone,
        config: EncoderConfig,
        made_with: EncoderInfo,
        first: str | None = None,
    ):
        super().__init__(name="encoder")
        if network.model is None:
            raise UserError(
                f"training.fine_tuning: {network.name} is a SavedModel, whose graph "
                "is not trained further; save the model as a .keras file"
            )
        if config.precision != "float32":
            raise UserError(
                "training.fine_tuning trains an encoder in float32; the records were "
                f"built with encoder.precision: {config.precision}. Build them again "
                "without it"
            )
        self.network, self.config, self.made_with = network, config, made_with
        self.model = network.model
        train_from(self.model, first, network.name)

    def encode_crop(self, pixels: tf.Tensor) -> tf.Tensor:
        """Returns the features of one crop of each photo, as in training.

        Args:
            pixels: float32 [photos, size, size, 3] of 0 to 255.
        """
        return features_of_view(self.network, self.config, pixels)

    def encode(self, pixels: tf.Tensor) -> tf.Tensor:
        """Returns the features over all views, as outside training.

        Args:
            pixels: float32 [photos, side, side, 3] of 0 to 255.
        """
        return features_of_photos(self.network, self.config, pixels)

    def frozen(self) -> Encoder:
        """Returns the encoder with the current weights."""
        current = replace(
            self.network,
            weights=f"{self.made_with.weights}, fine-tuned",
            contents=[np.ascontiguousarray(w) for w in self.model.get_weights()],
        )
        return assemble(current, self.config)


def load_tuned(
    config: EncoderConfig,
    made_with: EncoderInfo,
    first: str | None,
    restored: bool = False,
) -> TrainableEncoder:
    """Loads the encoder of the records for training.

    Args:
        config: the section `encoder`.
        made_with: the encoder of the records.
        first: as in `TrainableEncoder`.
        restored: the weights will come from a checkpoint; no file of weights is read.

    Raises:
        UserError: as `TrainableEncoder`; the encoder cannot be loaded, or is not that
            of the records.
    """
    if restored and isinstance(config, NetworkConfig):
        config = config.model_copy(update={"weights": "random"})
    network = load_network(config)
    if not restored and describe(network, config).digest != made_with.digest:
        key = config.file_key
        raise UserError(
            f"training.fine_tuning: encoder.{key} {config.file} is not what "
            f"the records were made with, which was {made_with.weights} (digest "
            f"{short_digest(made_with.digest)}); say where that is: --set "
            f"encoder.{key}=PATH"
        )
    return TrainableEncoder(network, config, made_with, first)


def train_from(model: keras.Model, first: str | None, name: str) -> None:
    """Freezes the layers before `first`, in the order of Keras' summary."""
    where = f"training.fine_tuning.from_layer: {name}"
    trained_from = (
        layer_index(model, first, f"{where}, as records have it,") if first else 0
    )
    for layer in model.layers[:trained_from]:
        layer.trainable = False
    if not model.trainable_variables:
        raise UserError(f"{where} has no weights from {first!r} on")
