"""Encoders with real weights, on real photos; skipped where they are not."""

import os
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from own_models import own

from tfcap.config.encoder import NetworkConfig
from tfcap.encoders import load_encoder

DATA = Path(os.environ.get("TFCAP_DATA", "TFCAP_DATA"))
PHOTOS, WEIGHTS = DATA / "flickr8k" / "images", DATA / "encoders"
MOBILENET = WEIGHTS / "mobilenet_1_0_224_no_top.weights.h5"
INCEPTION = WEIGHTS / "inception_v3_to_mixed8.weights.h5"

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not MOBILENET.exists(), reason=f"no real data in {DATA}"),
]


@pytest.fixture(scope="module")
def photos() -> list[Path]:
    return sorted(PHOTOS.iterdir())[:8]


@pytest.fixture(scope="module")
def mobilenet() -> keras.Model:
    return keras.applications.MobileNet(
        weights=str(MOBILENET), include_top=False, input_shape=(224, 224, 3)
    )


def encode(photos: list[Path], **settings) -> np.ndarray:
    features, bad = load_encoder(NetworkConfig(**settings)).encode(
        [path.read_bytes() for path in photos]
    )
    assert not bad
    return features


def keras_features(model, preprocess, photos, size: int) -> np.ndarray:
    """Decoded by TensorFlow, the rest by Keras's own functions."""
    pixels = [
        tf.io.decode_jpeg(path.read_bytes(), 3, dct_method="INTEGER_ACCURATE")
        for path in photos
    ]
    resized = keras.ops.image.resize(
        tf.cast(tf.stack(pixels), tf.float32), (size, size), antialias=True
    )
    return model(preprocess(np.array(resized)), training=False).numpy()


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    """Up to float32 rounding, which grows with the depth of the network."""
    assert found.shape == expected.shape and expected.std() > 0.1
    np.testing.assert_allclose(found, expected, 1e-3, 1e-4 * expected.max())


@pytest.mark.parametrize("pooling", ["avg", "flatten", "grid"])
def test_mobilenets_features_are_keras_own(photos, mobilenet, pooling):
    expected = keras_features(
        mobilenet, keras.applications.mobilenet.preprocess_input, photos, 224
    )
    shapes = {"avg": (8, 1024), "flatten": (8, 50_176), "grid": (8, 7, 7, 1024)}
    if pooling == "avg":
        expected = expected.mean((1, 2))
    expected = expected.reshape(shapes[pooling])
    settings = {"name": "mobilenet", "weights": str(MOBILENET), "pooling": pooling}
    assert_same(encode(photos, **settings), expected)


def test_inceptions_features_are_keras_own(photos):
    whole = keras.applications.InceptionV3(
        weights=str(INCEPTION), include_top=False, input_shape=(299, 299, 3)
    )
    model = keras.Model(whole.input, whole.get_layer("mixed8").output)
    expected = keras_features(
        model, keras.applications.inception_v3.preprocess_input, photos, 299
    )
    settings = {"name": "inception_v3", "weights": str(INCEPTION), "layer": "mixed8"}
    assert_same(encode(photos, **settings), expected.mean((1, 2)))


def test_features_are_nearly_those_of_pixels_that_pillow_decoded(photos, mobilenet):
    # The photos are of 224 x 224 pixels: nothing is resized, decoders differ by 1.
    pixels = [keras.utils.img_to_array(keras.utils.load_img(path)) for path in photos]
    scaled = keras.applications.mobilenet.preprocess_input(np.stack(pixels))
    expected = mobilenet(scaled, training=False).numpy().mean((1, 2))
    found = encode(photos, name="mobilenet", weights=str(MOBILENET))
    apart = np.linalg.norm(found - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert apart.max() < 0.02


def test_mobilenet_as_a_file_of_ones_own_is_the_same_encoder(
    photos, mobilenet, tmp_path
):
    mobilenet.save(tmp_path / "mobilenet.keras")
    mobilenet.export(tmp_path / "mobilenet", verbose=False)
    expected = encode(photos, name="mobilenet", weights=str(MOBILENET))
    for name in ("mobilenet.keras", "mobilenet"):
        config = own(str(tmp_path / name), preprocessing="tf")
        features, _ = load_encoder(config).encode([p.read_bytes() for p in photos])
        assert_same(features, expected)


def test_views_of_a_photo_are_like_it(photos):
    settings = {"name": "mobilenet", "weights": str(MOBILENET)}
    plain = encode(photos, **settings)
    viewed = encode(photos, **settings, crops=5, flip=True)
    plain, viewed = (
        x / np.linalg.norm(x, axis=1, keepdims=True) for x in (plain, viewed)
    )
    alike = plain @ viewed.T
    assert (alike.argmax(1) == np.arange(8)).all() and alike.diagonal().min() > 0.8
