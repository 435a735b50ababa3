"""Networks by name: all of `keras.applications`."""

import os
import sys
import warnings
from collections.abc import Callable

import keras
import numpy as np

from records.console import suggest
from records.errors import UserError
from records.storage.files import exists
from records.storage.local_copy import local_copy
from tfcap.config.encoder import EncoderConfig
from tfcap.encoders.backbone import Backbone, cut, on_one_line, scaling_of

KIND = "application"
# The input size of the networks that were not trained at 224 x 224.
INPUT_SIZES = {
    "efficientnet_b1": 240, "efficientnet_b2": 260, "efficientnet_b3": 300,
    "efficientnet_b4": 380, "efficientnet_b5": 456, "efficientnet_b6": 528,
    "efficientnet_b7": 600, "efficientnet_v2b1": 240, "efficientnet_v2b2": 260,
    "efficientnet_v2b3": 300, "efficientnet_v2s": 384, "efficientnet_v2m": 480,
    "efficientnet_v2l": 480, "inception_resnet_v2": 299, "inception_v3": 299,
    "nasnet_large": 331, "xception": 299,
}  # fmt: skip


def load(config: EncoderConfig) -> Backbone:
    """The network of `config.name`, without its classifier.

    Raises:
        UserError: unknown network or layer, weights that cannot be had, or too small
            an input.
    """
    constructor = find_constructor(config.name)
    size = config.input_size or input_size(config.name)
    model = cut(build(constructor, config, size), config.layer, config.name)
    scaling, scale = scaling_for(constructor, config.preprocessing)
    return Backbone(
        kind=KIND,
        name=config.name,
        weights=os.path.basename(config.weights),
        size=size,
        scaling=scaling,
        scale=scale,
        run=lambda pixels: model(pixels, training=False),
        contents=[np.ascontiguousarray(w) for w in model.get_weights()],
        model=model,
    )


def find_constructor(name: str) -> Callable[..., keras.Model]:
    """Finds a `keras.applications` constructor by its snake-case name."""
    known = {_plain(n): n for n in dir(keras.applications) if n[0].isupper()}
    found = known.get(_plain(name))
    if found is None or not name.islower():
        near = suggest(_plain(name), known, most=3)
        raise UserError(
            f"encoder.name: keras.applications has no {name!r} (write it in snake case)"
            + (f"; near it: {', '.join(near)}" if near else "")
        )
    return getattr(keras.applications, found)


def input_size(name: str) -> int:
    """Pixels squared that the network was trained on."""
    sizes = {_plain(known): size for known, size in INPUT_SIZES.items()}
    return sizes.get(_plain(name), 224)


def scaling_for(constructor, mode: str | None):
    """As `scaling_of`; for None what the network was trained with."""
    if mode:
        return scaling_of(mode)
    module = sys.modules[constructor.__module__]
    return "keras preprocess_input", module.preprocess_input


def build(constructor, config: EncoderConfig, size: int) -> keras.Model:
    """The network without its classifier, with the weights asked for."""
    weights = None if config.weights == "random" else config.weights
    if weights not in (None, "imagenet") and not exists(weights):
        raise UserError(
            f"encoder.weights: no file {weights!r}; expected 'imagenet', 'random' or a "
            ".weights.h5 file. Where it was moved, say so with --set "
            "encoder.weights=FILE; for tfcap export it is --encoder_weights FILE"
        )
    try:
        model = construct(constructor, weights, size)
    except Exception as error:
        refuse_size(constructor, config, size)
        raise UserError(_why_no_weights(config, error)) from None
    if weights is None:
        draw(model, config.seed)
    return model


def draw(model: keras.Model, seed: int) -> None:
    """Draws kernels anew (Glorot and Bengio 2010), each from the seed and its number.

    Keras draws them from Python's own stream of random numbers, which the other threads
    of a worker use too.
    """
    for number, weight in enumerate(model.weights):
        if len(weight.shape) > 1:
            own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
            weight.assign(keras.initializers.GlorotUniform(own)(weight.shape))


def construct(constructor, weights: str | None, size: int) -> keras.Model:
    with warnings.catch_warnings(), local_copy(weights) as file:
        # Keras only warns of layers it leaves as random as they are.
        warnings.filterwarnings("error", "Skipping nested container")
        shape = (size, size, 3)
        return constructor(weights=file, include_top=False, input_shape=shape)


def refuse_size(constructor, config: EncoderConfig, size: int) -> None:
    """Raises UserError where it is not the weights that the network fails at."""
    try:
        constructor(weights=None, include_top=False, input_shape=(size, size, 3))
    except Exception as error:
        raise UserError(
            f"encoder.input_size: {config.name} cannot be built for photos of {size} x "
            f"{size} pixels: {on_one_line(error)}"
        ) from None


def _why_no_weights(config: EncoderConfig, error: Exception) -> str:
    why = on_one_line(error)
    if config.weights == "imagenet":
        return (
            f"the ImageNet weights of {config.name} could not be downloaded ({why}); "
            "pass a file with --set encoder.weights=FILE.weights.h5"
        )
    return f"encoder.weights: {config.weights} does not fit {config.name}: {why}"


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
