"""Photos drawn in the test, and what an encoder should see of them."""

import io
import random

import numpy as np
from PIL import Image

from records.format.manifest import EncoderInfo
from tfcap.config.encoder import NetworkConfig
from tfcap.datasets.synthetic import draw, imagine
from tfcap.encoders import keras_applications
from tfcap.encoders.encoder import describe


def small(**changes) -> NetworkConfig:
    """A MobileNet of 32 pixels with random weights."""
    settings = {"name": "mobilenet", "weights": "random", "input_size": 32}
    return NetworkConfig(**{**settings, **changes})


def info_of(**changes) -> EncoderInfo:
    """What an encoder's manifest entry would be, without freezing its graph."""
    config = small(**changes)
    return describe(keras_applications.load(config), config)


def drawing(seed: int = 0, size: int = 64) -> Image.Image:
    rng = random.Random(seed)
    return draw(imagine(rng), size, rng)


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def photo(seed: int = 0, kind: str = "JPEG", mode: str = "RGB", **options) -> bytes:
    return encoded(drawing(seed).convert(mode), kind, **options)


def sharp(seed: int, size: int) -> Image.Image:
    """Noise of that size: no cell is like another."""
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, [size, size, 3], np.uint8))


def pixels(image: Image.Image) -> np.ndarray:
    """As a batch of one, float32 of 0 to 255."""
    return np.asarray(image, np.float32)[None]
