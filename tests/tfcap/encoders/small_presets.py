"""Small presets of KerasHub with random weights, and what KerasHub makes of photos."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import keras_hub
import numpy as np
import tensorflow as tf
from PIL import Image

from tfcap.images.decoding import decode_photo

models, layers = keras_hub.models, keras_hub.layers
TEXT = {
    "vocabulary_size": 20,
    "embedding_dim": 8,
    "hidden_dim": 8,
    "num_layers": 1,
    "num_heads": 2,
    "intermediate_dim": 8,
}
TRANSFORMER = {"hidden_dim": 8, "num_layers": 2, "num_heads": 2}
VISION = {
    **TRANSFORMER,
    "patch_size": 16,
    "intermediate_dim": 16,
    "image_shape": (32, 32, 3),
}
DINO = {**VISION, "num_register_tokens": 4}
EFFICIENTNET = {
    "stackwise_width_coefficients": [0.1],
    "stackwise_depth_coefficients": [0.1],
    "stackwise_squeeze_and_excite_ratios": [0.25],
    "stackwise_expansion_ratios": [1],
    "stackwise_kernel_sizes": [3],
    "stackwise_num_repeats": [1],
    "stackwise_input_filters": [8],
    "stackwise_output_filters": [16],
    "stackwise_strides": [2],
    "stackwise_block_types": ["v1"],
    "dropout": 0.0,
    "width_coefficient": 0.1,
    "depth_coefficient": 0.1,
}


def pair(name: str, projection: dict[str, int]) -> Callable[[], keras.Model]:
    """Returns the function that makes a backbone of photos and text."""
    vision, text, backbone = (
        getattr(models, f"{name}{part}")
        for part in ("VisionEncoder", "TextEncoder", "Backbone")
    )
    if name == "SigLIP":
        return lambda: backbone(vision(**VISION), text(**TEXT, projection_dim=8))
    return lambda: backbone(vision(**VISION), text(**TEXT), **projection)


# Name -> backbone; and the prefix of its tokens that are no patches.
BACKBONES: dict[str, Callable[[], keras.Model]] = {
    "CLIP": pair("CLIP", {"projection_dim": 6}),
    "MetaCLIP2": pair("MetaCLIP2", {"projection_dim": 6}),
    "SigLIP": pair("SigLIP", {}),
    "DINOV2": lambda: models.DINOV2Backbone(
        **DINO, position_embedding_shape=(64, 64, 3)
    ),
    "DINOV3": lambda: models.DINOV3Backbone(**DINO),
    "ViT": lambda: models.ViTBackbone(
        **TRANSFORMER, image_shape=(32, 32, 3), patch_size=16, mlp_dim=8
    ),
    "EfficientNet": lambda: models.EfficientNetBackbone(**EFFICIENTNET),
}
CLASS_TOKENS = {"CLIP": 1, "MetaCLIP2": 1, "SigLIP": 0, "DINOV2": 5, "DINOV3": 5}
# Each way of resizing once.
CONVERTERS = {
    "CLIP": {"interpolation": "bicubic", "antialias": True},
    "SigLIP": {"crop_to_aspect_ratio": False},
    "DINOV2": {"interpolation": "bicubic", "crop_to_aspect_ratio": False},
    "ViT": {"interpolation": "nearest"},
}
# Mean and deviation of each colour.
SCALE, OFFSET = [1 / 255 / 0.27, 1 / 255 / 0.26, 1 / 128], [-1.8, -1.7, -1.0]


def save(
    folder: Path, name: str = "CLIP", size: int = 32, **changes: Any
) -> tuple[keras.Model, Any]:
    """Saves a preset; returns its backbone and its image converter."""
    keras.utils.set_random_seed(0)
    backbone = BACKBONES[name]()
    settings = {"scale": SCALE, "offset": OFFSET, **CONVERTERS.get(name, {}), **changes}
    converter = getattr(layers, f"{name}ImageConverter")(
        image_size=(size, size), **settings
    )
    backbone.save_to_preset(str(folder))
    converter.save_to_preset(str(folder))
    return backbone, converter


def odd_photo(seed: int) -> bytes:
    """Returns a smooth JPEG whose sides are odd and differ."""
    rng = np.random.default_rng(seed)
    height, width = 2 * rng.integers(15, 60, 2) + 1
    coarse = Image.fromarray(rng.integers(0, 256, [7, 5, 3], np.uint8))
    file = io.BytesIO()
    size = (int(width), int(height) + 2 * (height == width))
    coarse.resize(size, Image.Resampling.BICUBIC).save(file, "JPEG", quality=95)
    return file.getvalue()


def pixels_of(converter: Any, photos: list[bytes]) -> tf.Tensor:
    """Returns photos as KerasHub's converter gives them, one at a time."""
    decoded = (decode_photo(tf.constant(photo)) for photo in photos)
    return tf.stack([tf.convert_to_tensor(converter(each)) for each in decoded])


def expected(
    backbone: keras.Model, converter: Any, name: str, pooling: str, photos: list[bytes]
) -> np.ndarray:
    """Returns the features that KerasHub computes."""
    images = pixels_of(converter, photos)
    if name in ("CLIP", "MetaCLIP2", "SigLIP") and pooling == "embedding":
        return np.asarray(backbone.get_vision_embeddings(images))
    vision = getattr(backbone, "vision_encoder", backbone)
    if name == "SigLIP":
        norm = vision.get_layer("post_layer_norm").output
        vision = keras.Model(vision.inputs[0], norm)
    features = np.asarray(vision(images))
    if name != "EfficientNet":
        others = CLASS_TOKENS.get(name, 1)
        if pooling == "embedding":
            return features[:, 0]
        features = features[:, others:].reshape([len(photos), 2, 2, -1])
    return features if pooling == "grid" else features.mean((1, 2))
