"""An encoder that is trained along with the captioner."""

from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf

from records.console import suggest
from records.errors import UserError
from records.format.manifest import EncoderInfo
from tfcap.config.encoder import EncoderConfig
from tfcap.encoders.backbone import Backbone
from tfcap.encoders.encoder import (
    Encoder,
    assemble,
    describe,
    features_of_photos,
    features_of_view,
    load_network,
)


class TrainableEncoder(keras.layers.Layer):
    """Pixels -> features, by weights that change.

    Batch norm stays in inference mode. Its moving statistics are those of ImageNet's
    million photos; the few of a replica's share would be a noisy sample, another one on
    each replica, and captions are written with the moving ones anyway. Its scale and
    offset are trained like other weights.

    Args:
        network: one of Keras.
        config: how it is cut, pooled and averaged over views.
        made_with: the encoder of the records, from which it starts.
        first: the first layer that is trained; None: all are.

    Raises:
        UserError: no network of Keras, no such layer, or nothing there to train.
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
        self.network, self.config, self.made_with = network, config, made_with
        self.model = network.model
        train_from(self.model, first, network.name)

    def encode_crop(self, pixels: tf.Tensor) -> tf.Tensor:
        """float32 [photos, size, size, 3] of 0 to 255 -> features, as in training."""
        return features_of_view(self.network, self.config, pixels)

    def encode(self, pixels: tf.Tensor) -> tf.Tensor:
        """float32 [photos, side, side, 3] -> features, as outside training."""
        return features_of_photos(self.network, self.config, pixels)

    def frozen(self) -> Encoder:
        """The encoder with the weights it has now."""
        now = replace(
            self.network,
            weights=f"{self.made_with.weights}, fine-tuned",
            contents=[np.ascontiguousarray(w) for w in self.model.get_weights()],
        )
        return assemble(now, self.config)


def load_tuned(
    config: EncoderConfig,
    made_with: EncoderInfo,
    first: str | None,
    restored: bool = False,
) -> TrainableEncoder:
    """The encoder of records, as it is before the first step.

    Args:
        restored: its weights will come from a checkpoint; no file of them is read.

    Raises:
        UserError: as `TrainableEncoder`; it cannot be loaded, or is not the records'.
    """
    if restored and config.model is None:
        config = config.model_copy(update={"weights": "random"})
    network = load_network(config)
    if not restored and describe(network, config).digest != made_with.digest:
        key = "weights" if config.model is None else "model"
        raise UserError(
            f"training.fine_tuning: encoder.{key} {getattr(config, key)} is not what "
            f"the records were made with, which was {made_with.weights} (digest "
            f"{made_with.digest[:12]}…); say where that is: --set encoder.{key}=PATH"
        )
    return TrainableEncoder(network, config, made_with, first)


def train_from(model: keras.Model, first: str | None, name: str) -> None:
    """Leaves the layers before `first`, in the order of Keras' summary, as they are."""
    names = [layer.name for layer in model.layers]
    if first is not None and first not in names:
        near = suggest(first, names, most=3)
        raise UserError(
            f"training.fine_tuning.from_layer: {name}, as records have it, has no "
            f"layer {first!r}; near it: {', '.join(near) or ', '.join(names[-3:])}"
        )
    for layer in model.layers[: names.index(first) if first else 0]:
        layer.trainable = False
    if not model.trainable_variables:
        raise UserError(
            f"training.fine_tuning.from_layer: {name} has no weights from {first!r} on"
        )
