"""The network of an encoder: pixels to features, before pooling."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import tensorflow as tf

from records.console import suggest
from records.errors import UserError
from tfcap.config.encoder import Colours, EncoderConfig, PreprocessingConfig
from tfcap.images.resizing import SQUASH, Resizing

CLIP = PreprocessingConfig(
    mean=(0.48145466, 0.4578275, 0.40821073),
    deviation=(0.26862954, 0.26130258, 0.27577711),
)
TensorFunction = Callable[[tf.Tensor], tf.Tensor]


@dataclass(frozen=True)
class Backbone:
    """A network before pooling.

    Attributes:
        kind, name, weights: as in `records.format.manifest.EncoderInfo`.
        size: side of its input, in pixels.
        scaling: description of `scale`, a part of the encoder's digest.
        scale: pixels of 0 to 255 -> pixels as the network takes them.
        run: scaled pixels, float32 [batch, size, size, 3] -> floats [batch, ...].
        contents: bytes-like objects that change with the graph or the weights; the
            digest covers them.
        model: the Keras model that `run` calls; None for a SavedModel.
        resizing: how a photo becomes a square.
        precision: dtype in which `run` computes.
    """

    kind: str
    name: str
    weights: str
    size: int
    scaling: str
    scale: TensorFunction
    run: TensorFunction
    contents: Sequence[Any]
    model: keras.Model | None = None
    resizing: Resizing = SQUASH
    precision: str = "float32"


def resizing_for(config: EncoderConfig) -> Resizing:
    settings = config.photo_preprocessing or PreprocessingConfig()
    return Resizing(
        settings.resize,
        settings.interpolation,
        settings.antialias,
        settings.rounded,
    )


def scaling_of(settings: PreprocessingConfig) -> tuple[str, TensorFunction]:
    """Returns the description and the function of a scaling of pixels of 0 to 255."""
    if settings.mean and settings.deviation:
        return standardization(settings.mean, settings.deviation)
    mode = settings.scaling
    if mode == "clip":
        return scaling_of(CLIP)
    if mode == "none":
        return "pixels 0 to 255", tf.identity
    if mode == "unit":
        return "pixels 0 to 1", lambda pixels: pixels / 255
    scale = partial(
        keras.applications.imagenet_utils.preprocess_input,
        data_format="channels_last",
        mode=mode,
    )
    return f"keras preprocess_input, mode {mode}", scale


def standardization(mean: Colours, deviation: Colours) -> tuple[str, TensorFunction]:
    """Returns the scaling by mean and deviation of colours from 0 to 1."""
    described = f"pixels 0 to 1, mean {list(mean)}, deviation {list(deviation)}"
    return described, lambda pixels: (pixels / 255 - mean) / deviation


def cut(model: keras.Model, layer: str | None, name: str) -> keras.Model:
    """Cuts a model at the layer of that name; None leaves it whole.

    Raises:
        UserError: it has no such layer, or none with one output.
    """
    if layer is None:
        return model
    layer_index(model, layer, f"encoder.layer: {name}")
    try:
        return keras.Model(model.inputs, model.get_layer(layer).output)
    except (AttributeError, ValueError):
        raise UserError(
            f"encoder.layer: {name} cannot be cut at {layer!r}, a layer that is "
            "called more than once, or not at all"
        ) from None


def layer_index(model: keras.Model, layer: str, where: str) -> int:
    """Returns the index of a layer; raises UserError, which begins with `where`."""
    names = [each.name for each in model.layers]
    if layer not in names:
        near = suggest(layer, names, most=3) or names[-3:]
        raise UserError(f"{where} has no layer {layer!r}; near it: {', '.join(near)}")
    return names.index(layer)


def on_one_line(error: Exception, length: int = 200) -> str:
    """Returns the message of a library's error on one line, shortened to `length`."""
    message = " ".join(str(error).split()) or type(error).__name__
    return message if len(message) <= length else f"{message[:length]}…"


def with_one_output(model: keras.Model, name: str) -> keras.Model:
    """Returns the model as a function from one tensor to one tensor."""
    if len(model.outputs) > 1:
        raise UserError(
            f"encoder: {name} has {len(model.outputs)} outputs; name the layer "
            "whose output the features are with encoder.layer"
        )
    return keras.Model(model.inputs[0], model.outputs[0])
