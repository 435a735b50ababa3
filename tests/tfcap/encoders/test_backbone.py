"""Scaling and resizing of photos, as the configuration says."""

import keras
import numpy as np
import own_models
import pytest
import tensorflow as tf
from drawn_photos import drawing, encoded, info_of, small

from tfcap.config.encoder import PreprocessingConfig
from tfcap.encoders import load_encoder
from tfcap.encoders.backbone import scaling_of
from tfcap.images.decoding import decode_photo

PIXELS = tf.constant([[[[0.0, 51.0, 255.0]]]])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"scaling": "none"}, [0, 51, 255]),
        ({"scaling": "unit"}, [0, 0.2, 1]),
        ({"scaling": "tf"}, [-1, -0.6, 1]),
        (
            {"scaling": "clip"},
            [
                -0.48145466 / 0.26862954,
                -0.2578275 / 0.26130258,
                0.59178927 / 0.27577711,
            ],
        ),
        (
            {"mean": (0.5, 0.2, 0.5), "deviation": (0.5, 1.0, 0.25)},
            [-1, 0, 2],
        ),
    ],
)
def test_the_scaling_of_pixels(settings, expected):
    _, scale = scaling_of(PreprocessingConfig(**settings))
    np.testing.assert_allclose(scale(PIXELS)[0, 0, 0], expected, 1e-5, 1e-6)


def test_a_crop_is_what_the_network_takes(tmp_path):
    """The features of a model that changes nothing are its pixels."""
    model = keras.Sequential(
        [keras.Input([32, 32, 3]), keras.layers.Activation("linear")]
    )
    path = own_models.save(tmp_path / "models", model)
    preprocessing = {
        "scaling": "none",
        "resize": "crop",
        "interpolation": "bicubic",
        "antialias": False,
    }
    config = own_models.own(path, preprocessing=preprocessing, pooling="grid")
    encoder = load_encoder(config)
    content = encoded(drawing().resize((80, 50)), "JPEG")
    pixels = decode_photo(tf.constant(content))
    height, width, _ = pixels.shape
    side = min(height, width)

    top, left = (height - side) // 2, (width - side) // 2
    cut = pixels[top : top + side, left : left + side]
    expected = tf.image.resize(cut, [32, 32], "bicubic")
    (features,), _ = encoder.encode([content])
    np.testing.assert_allclose(features, expected, 1e-5, 1e-3)
    info = encoder.info
    assert (info.fit, info.interpolation, info.antialias) == ("crop", "bicubic", False)


@pytest.mark.parametrize(
    "preprocessing",
    ["clip", {"resize": "crop"}, {"interpolation": "bicubic"}, {"antialias": False}],
)
def test_other_preprocessing_has_another_digest(preprocessing):
    assert info_of(preprocessing=preprocessing).digest != info_of().digest


def test_resizing_keeps_the_scaling_of_a_named_network():
    whole, cropped = (
        load_encoder(small(preprocessing=preprocessing)).info.preprocessing
        for preprocessing in (None, {"resize": "crop"})
    )
    assert cropped == whole.replace("resize bil", "centre crop, resize bil")
