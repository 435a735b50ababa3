"""Loads the networks of `keras.applications` by name."""

import sys
import warnings
from collections.abc import Callable

import keras
import numpy as np

from records.console import suggest
from records.errors import UserError
from records.storage.files import exists
from records.storage.local_copy import local_copy
from tfcap.config.encoder import NetworkConfig, PreprocessingConfig
from tfcap.encoders.backbone import (
    Backbone,
    TensorFunction,
    cut,
    on_one_line,
    resizing_for,
    scaling_of,
)

KIND = "application"
Constructor = Callable[..., keras.Model]
# The input size of the networks that were not trained at 224 x 224.
INPUT_SIZES = {
    "efficientnet_b1": 240, "efficientnet_b2": 260, "efficientnet_b3": 300,
    "efficientnet_b4": 380, "efficientnet_b5": 456, "efficientnet_b6": 528,
    "efficientnet_b7": 600, "efficientnet_v2b1": 240, "efficientnet_v2b2": 260,
    "efficientnet_v2b3": 300, "efficientnet_v2s": 384, "efficientnet_v2m": 480,
    "efficientnet_v2l": 480, "inception_resnet_v2": 299, "inception_v3": 299,
    "nasnet_large": 331, "xception": 299,
}  # fmt: skip


def load(config: NetworkConfig) -> Backbone:
    """Loads the network of `config.name` without its classifier.

    Raises:
        UserError: there is no such network or layer, the weights cannot be loaded, or
            the input is too small.
    """
    constructor = find_constructor(config.name)
    size = config.input_size or input_size(config.name)
    model = cut(build(constructor, config, size), config.layer, config.name)
    scaling, scale = scaling_for(constructor, config.photo_preprocessing)
    return Backbone(
        kind=KIND,
        name=config.name,
        weights=config.file_name,
        size=size,
        scaling=scaling,
        scale=scale,
        run=lambda pixels: model(pixels, training=False),
        contents=[np.ascontiguousarray(w) for w in model.get_weights()],
        model=model,
        resizing=resizing_for(config),
    )


def find_constructor(name: str) -> Constructor:
    """Finds a `keras.applications` constructor by its snake-case name."""
    known = {_plain(n): n for n in dir(keras.applications) if n[0].isupper()}
    constructor = known.get(_plain(name))
    if constructor is None or not name.islower():
        near = suggest(_plain(name), known, most=3)
        raise UserError(
            f"encoder.name: keras.applications has no {name!r} (write it in snake case)"
            + (f"; near it: {', '.join(near)}" if near else "")
        )
    return getattr(keras.applications, constructor)


def input_size(name: str) -> int:
    """Returns the side of the photos that a network was trained on, in pixels."""
    sizes = {_plain(known): size for known, size in INPUT_SIZES.items()}
    return sizes.get(_plain(name), 224)


def scaling_for(
    constructor: Constructor, settings: PreprocessingConfig | None
) -> tuple[str, TensorFunction]:
    """Returns the scaling of `scaling_of`; without one the network's own."""
    if settings and settings.says_scaling:
        return scaling_of(settings)
    module = sys.modules[constructor.__module__]
    return "keras preprocess_input", module.preprocess_input


def build(constructor: Constructor, config: NetworkConfig, size: int) -> keras.Model:
    """Builds the network without its classifier, with the configured weights."""
    weights = config.weights
    if weights not in ("random", "imagenet") and not exists(weights):
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
    if weights == "random":
        draw(model, config.seed)
    return model


def draw(model: keras.Model, seed: int) -> None:
    """Draws kernels (Glorot and Bengio 2010), each from the seed and its number.

    Keras draws them from Python's stream of random numbers, which the other threads of
    a worker use too.
    """
    for number, weight in enumerate(model.weights):
        if len(weight.shape) > 1:
            weight_seed = np.random.SeedSequence([seed, number]).generate_state(1)[0]
            draw_weight = keras.initializers.GlorotUniform(int(weight_seed))
            weight.assign(draw_weight(weight.shape))


def construct(constructor: Constructor, weights: str, size: int) -> keras.Model:
    with warnings.catch_warnings(), local_copy(weights) as file:
        # Keras only warns of layers whose random weights it does not replace.
        warnings.filterwarnings("error", "Skipping nested container")
        file_or_none = None if weights == "random" else file
        shape = (size, size, 3)
        return constructor(weights=file_or_none, include_top=False, input_shape=shape)


def refuse_size(constructor: Constructor, config: NetworkConfig, size: int) -> None:
    """Raises UserError if the network cannot be built of this size without weights."""
    try:
        constructor(weights=None, include_top=False, input_shape=(size, size, 3))
    except Exception as error:
        raise UserError(
            f"encoder.input_size: {config.name} cannot be built for photos of {size} x "
            f"{size} pixels: {on_one_line(error)}"
        ) from None


def _why_no_weights(config: NetworkConfig, error: Exception) -> str:
    why = on_one_line(error)
    if config.weights == "imagenet":
        return (
            f"the ImageNet weights of {config.name} could not be downloaded ({why}); "
            "pass a file with --set encoder.weights=FILE.weights.h5"
        )
    return f"encoder.weights: {config.weights} does not fit {config.name}: {why}"


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
