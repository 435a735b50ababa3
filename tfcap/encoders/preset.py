"""An encoder from a preset of KerasHub: by name, or the directory of one.

    a tower of CLIP, MetaCLIP 2, SigLIP ...    its vision encoder
    ViT, DINO, EfficientNet ...                the whole backbone

A photo becomes pixels as the preset's image converter says.
"""

import json
import math
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from records.console import suggest
from records.errors import UserError
from records.storage.files import exists, is_directory
from records.storage.local_copy import local_copy
from tfcap.config.encoder import PresetConfig
from tfcap.encoders.backbone import (
    Backbone,
    TensorFunction,
    cut,
    on_one_line,
    resizing_for,
    scaling_of,
    with_one_output,
)
from tfcap.encoders.hub import import_keras_hub
from tfcap.images.resizing import Resizing, resize

KIND = "keras_hub"
SCHEMES = ("kaggle://", "hf://", "modelscope://")  # which KerasHub itself reads
CONFIG, CONVERTER = "config.json", "image_converter.json"
WEIGHTS = ("model.weights.h5", "model.weights.json")


def load(config: PresetConfig) -> Backbone:
    """Loads the part of a preset's backbone that looks at photos.

    Raises:
        UserError: KerasHub is not installed; there is no such preset, or it cannot be
            loaded; or it takes no photos.
    """
    hub = import_keras_hub()
    if not exists(config.preset):
        check_name(hub, config.preset)
        return load_preset(hub, config, config.preset)
    with local_copy(config.preset) as path:
        check_directory(path, config)
        return load_preset(hub, config, os.path.abspath(path))


def check_name(hub: ModuleType, preset: str) -> None:
    known = hub.models.Backbone.presets
    if preset in known or preset.startswith(SCHEMES):
        return
    near = suggest(preset, known, most=3)
    raise UserError(
        f"encoder.preset: KerasHub {hub.__version__} has no preset {preset!r}, and "
        "there is no such directory"
        + (f"; near it: {', '.join(near)}" if near else "")
        + ". Where a directory was moved, say so with --set encoder.preset=DIR; for "
        "tfcap export it is --encoder_preset DIR"
    )


def check_directory(path: str, config: PresetConfig) -> None:
    """Raises UserError if a directory is none of a preset, or lacks a file."""
    name = f"encoder.preset: {config.preset}"
    file = os.path.join(path, CONFIG)
    if not is_directory(path) or not exists(file):
        raise UserError(
            f"{name} is not the directory of a preset: it has no {CONFIG}; write one "
            "with backbone.save_to_preset(DIR)"
        )
    try:
        with open(file, encoding="utf-8") as content:
            is_keras = "registered_name" in json.load(content)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{name}: {CONFIG} is damaged: {on_one_line(error)}") from None
    if is_keras and not any(exists(os.path.join(path, file)) for file in WEIGHTS):
        raise UserError(
            f"{name} has no weights: neither {' nor '.join(WEIGHTS)}; write them with "
            "backbone.save_to_preset(DIR)"
        )


def load_preset(hub: ModuleType, config: PresetConfig, preset: str) -> Backbone:
    # The converter first: a preset of text has none, and its weights need not be read.
    converter = load_converter(hub, config, preset)
    backbone = load_backbone(hub, config, preset)
    vision = vision_part(backbone, config)
    size = input_size(vision, converter, config)
    model = encoding_part(backbone, vision, config)
    resizing = resizing_of(converter, config)
    scaling, scale = scaling_for(converter, config)
    check_converter(converter, size, resizing, scale, config)
    return Backbone(
        kind=KIND,
        name=config.file_name,
        weights=config.file_name,
        size=size,
        scaling=scaling,
        scale=scale,
        run=runner(model, vision, size, config),
        contents=contents_of(backbone, model),
        model=model,
        resizing=resizing,
    )


def load_converter(hub: ModuleType, config: PresetConfig, preset: str) -> Any:
    """Loads the image converter; None if the configuration says what it would."""
    said = config.photo_preprocessing
    if said and said.says_scaling:
        return None
    try:
        return hub.layers.ImageConverter.from_preset(preset)
    except FileNotFoundError:
        raise UserError(
            f"encoder.preset: {config.preset} has no {CONVERTER}, which says how "
            "photos become pixels; save the converter as well, with converter."
            "save_to_preset(DIR), or say it with encoder.preprocessing"
        ) from None
    except Exception as error:
        if "Unable to find a subclass of ImageConverter" in str(error):
            raise takes_no_photos(config) from None
        raise not_loaded(config, error) from None


def load_backbone(hub: ModuleType, config: PresetConfig, preset: str) -> keras.Model:
    size = config.input_size
    options = {"image_shape": (size, size, 3)} if size else {}
    try:
        return hub.models.Backbone.from_preset(preset, dtype="float32", **options)
    except Exception as error:
        if size:
            raise cannot_resize(config, on_one_line(error)) from None
        raise not_loaded(config, error) from None


def cannot_resize(config: PresetConfig, why: str) -> UserError:
    size = config.input_size
    return UserError(
        f"encoder.input_size: {config.preset} cannot be built for photos of {size} x "
        f"{size} pixels: {why}"
    )


def not_loaded(config: PresetConfig, error: Exception) -> UserError:
    return UserError(
        f"encoder.preset: {config.preset} cannot be loaded: {on_one_line(error)}. By "
        "name KerasHub downloads it; without a network name the directory of a copy"
    )


def takes_no_photos(config: PresetConfig) -> UserError:
    return UserError(
        f"encoder.preset: {config.preset} takes no photos; an encoder is a backbone "
        "that looks at photos, such as CLIP, SigLIP, DINO, ViT or EfficientNet"
    )


def vision_part(backbone: keras.Model, config: PresetConfig) -> keras.Model:
    """Returns the model from photos, [batch, rows, columns, 3], to features."""
    vision = getattr(backbone, "vision_encoder", None) or backbone
    shapes = [tuple(each.shape) for each in getattr(vision, "inputs", None) or ()]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][-1] != 3:
        raise takes_no_photos(config)
    return vision


def input_size(vision: keras.Model, converter: Any, config: PresetConfig) -> int:
    """Returns the side of the photos in pixels."""
    _, *sides, _ = vision.inputs[0].shape
    if None in sides:
        sides = [config.input_size] * 2
        if sides[0] is None and converter is not None and converter.image_size:
            sides = list(converter.image_size)
    if sides[0] != sides[1]:
        raise UserError(
            f"encoder.preset: {config.preset} takes {sides[0]} x {sides[1]} pixels; "
            "expected as many rows as columns"
        )
    if sides[0] is None:
        raise UserError(
            f"encoder.preset: {config.preset} takes photos of any size; choose one "
            "with encoder.input_size"
        )
    if config.input_size not in (None, sides[0]):
        raise cannot_resize(config, f"it takes {sides[0]} x {sides[0]} pixels alone")
    return int(sides[0])


def encoding_part(
    backbone: keras.Model, vision: keras.Model, config: PresetConfig
) -> keras.Model:
    """Returns the model from photos to what is pooled: tokens, cells or a vector."""
    name = config.file_name
    if config.layer:
        return with_one_output(cut(vision, config.layer, name), name)
    if config.pooling == "embedding" and hasattr(backbone, "get_vision_embeddings"):
        images = keras.Input(vision.inputs[0].shape[1:])
        return keras.Model(images, backbone.get_vision_embeddings(images))
    vision = with_one_output(vision, name)
    if config.pooling == "embedding" or len(vision.output.shape) > 2:
        return vision
    # The vision encoder pools itself: SigLIP's last layer.
    return with_one_output(cut(vision, last_with_places(vision, name), name), name)


def last_with_places(vision: keras.Model, name: str) -> str:
    for layer in reversed(vision.layers):
        if len(getattr(layer.output, "shape", ())) > 2:
            return layer.name
    raise UserError(
        f"encoder.pooling: {name} has no layer that keeps the places of a photo; "
        "choose embedding"
    )


def runner(
    model: keras.Model, vision: keras.Model, size: int, config: PresetConfig
) -> TensorFunction:
    """Returns the function from scaled pixels to a vector or [rows, columns, n]."""
    embedding = config.pooling == "embedding"
    if len(model.output.shape) != 3:
        return lambda pixels: pooled(model(pixels, training=False), embedding)
    patch = getattr(vision, "patch_size", None)
    patches = (size // int(np.max(patch))) ** 2 if patch else None
    # Neither a layer's declared shape nor a graph always has the number of tokens.
    _, tokens, channels = model(tf.zeros([1, size, size, 3]), training=False).shape
    side, others = split_tokens(tokens, patches, config.file_name)

    def run(pixels: tf.Tensor) -> tf.Tensor:
        # The tokens of the class and of registers come first, if there are any.
        features = tf.cast(model(pixels, training=False), tf.float32)
        if embedding and others:
            return tf.ensure_shape(features[:, 0], [None, channels])
        cells = tf.reshape(features[:, others:], [-1, side, side, channels])
        return pooled(cells, embedding)

    return run


def pooled(features: tf.Tensor, embedding: bool) -> tf.Tensor:
    """Returns the mean over cells for an embedding of a backbone that makes none."""
    is_grid = features.shape.rank == 4
    features = tf.cast(features, tf.float32)
    return tf.reduce_mean(features, [1, 2]) if embedding and is_grid else features


def split_tokens(tokens: int, patches: int | None, name: str) -> tuple[int, int]:
    """Returns the patches along a side, and the tokens that are no patches."""
    if patches and tokens >= patches:
        return math.isqrt(patches), tokens - patches
    side = math.isqrt(tokens)
    if side * side != tokens:
        raise UserError(
            f"encoder.preset: {name} gives {tokens} tokens, no square of patches; "
            "choose another encoder.layer"
        )
    return side, 0


def resizing_of(converter: Any, config: PresetConfig) -> Resizing:
    """Returns how a photo becomes a square: as configured, else as the converter."""
    if converter is None or config.preprocessing is not None:
        return resizing_for(config)
    fit = "crop" if converter.crop_to_aspect_ratio else "squash"
    if getattr(converter, "pad_to_aspect_ratio", False):
        fit = "pad"
    # The converter rounds the pixels of bytes, which it cannot pad.
    return Resizing(fit, converter.interpolation, converter.antialias, fit != "pad")


def scaling_for(
    converter: Any, config: PresetConfig
) -> tuple[str, Callable[[tf.Tensor], tf.Tensor]]:
    settings = config.photo_preprocessing
    if settings and settings.says_scaling:
        return scaling_of(settings)
    scale = 1.0 if converter.scale is None else converter.scale
    offset = 0.0 if converter.offset is None else converter.offset
    described = f"pixels times {scale}, plus {offset}"
    return described, lambda pixels: pixels * scale + offset


def check_converter(
    converter: Any, size: int, resizing: Resizing, scale: Any, config: PresetConfig
) -> None:
    """Raises UserError if a converter does more than resize and scale.

    It converts one photo of noise, which must give the pixels of our graph.
    """
    if converter is None or config.preprocessing is not None:
        return
    noise = np.random.default_rng(0).integers(0, 256, [61, 87, 3], np.uint8)
    as_taken = noise if resizing.rounded else noise.astype(np.float32)
    ours = scale(resize(tf.constant(noise), size, resizing)).numpy()
    try:
        converter.image_size = (size, size)
        theirs = np.asarray(converter(tf.constant(as_taken)))
    except Exception as error:
        raise not_loaded(config, error) from None
    if theirs.shape != ours.shape or not np.allclose(ours, theirs, 1e-4, 1e-4):
        raise UserError(
            f"encoder.preset: the image converter of {config.preset}, "
            f"{type(converter).__name__}, does more than resize and scale a photo; say "
            "with encoder.preprocessing how photos become pixels"
        )


def contents_of(backbone: keras.Model, model: keras.Model) -> list[bytes]:
    """Returns what the digest covers: the class, and shapes and values of weights."""
    weights = model.get_weights()
    kinds = [type(backbone).__name__, [list(weight.shape) for weight in weights]]
    return [json.dumps(kinds).encode(), *(weight.tobytes() for weight in weights)]
