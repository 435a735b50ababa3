"""What an encoder is built around: a network from pixels to features."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import keras
import tensorflow as tf

from records.console import suggest
from records.errors import UserError

TensorFunction = Callable[[tf.Tensor], tf.Tensor]


@dataclass(frozen=True)
class Backbone:
    """A network before pooling.

    Attributes:
        kind, name, weights: as in `records.format.manifest.EncoderInfo`.
        size: of its input, in pixels squared.
        scaling: what `scale` does, in words.
        scale: pixels of 0 to 255 -> pixels as the network takes them.
        run: those, float32 [batch, size, size, 3] -> floats [batch, ...].
        contents: bytes-like; with these another graph or other weights show.
        model: what `run` runs, if that is a model of Keras.
    """

    kind: str
    name: str
    weights: str
    size: int
    scaling: str
    scale: TensorFunction
    run: TensorFunction
    contents: Sequence
    model: keras.Model | None = None


def scaling_of(mode: str) -> tuple[str, TensorFunction]:
    """The scaling in words, and as a function of pixels of 0 to 255."""
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


def cut(model: keras.Model, layer: str | None, name: str) -> keras.Model:
    """Cuts a model at the layer of that name; None leaves it whole.

    Raises:
        UserError: it has no such layer, or none with one output.
    """
    if layer is None:
        return model
    names = [one.name for one in model.layers]
    if layer not in names:
        near = suggest(layer, names, most=3)
        raise UserError(
            f"encoder.layer: {name} has no layer {layer!r}; "
            f"near it: {', '.join(near) or ', '.join(names[-3:])}"
        )
    try:
        return keras.Model(model.inputs, model.get_layer(layer).output)
    except (AttributeError, ValueError):
        raise UserError(
            f"encoder.layer: {name} cannot be cut at {layer!r}, a layer that is "
            "called more than once, or not at all"
        ) from None


def on_one_line(error: Exception, length: int = 200) -> str:
    """What an error of a library says, on one line."""
    said = " ".join(str(error).split()) or type(error).__name__
    return said if len(said) <= length else f"{said[:length]}…"
