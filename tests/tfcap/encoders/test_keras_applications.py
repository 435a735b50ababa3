"""Networks by name: found, built and weighted; features are those that Keras gives."""

import random
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from drawn_photos import info_of, photo, small

from records.errors import UserError
from tfcap.encoders import keras_applications, load_encoder
from tfcap.encoders.keras_applications import load
from tfcap.images.decoding import decode_photo

NETWORKS = sorted(name for name in dir(keras.applications) if name[0].isupper())
# The smallest of a family, at the smallest size that it takes.
QUICK = {"mobilenet": 32, "mobilenet_v3_small": 32}
SLOW = {
    "convnext_tiny": 32, "densenet121": 32, "efficientnet_b0": 32,
    "efficientnet_v2b0": 32, "inception_v3": 75, "mobilenet_v2": 32, "resnet50": 32,
    "resnet50_v2": 32, "vgg16": 32, "xception": 71,
}  # fmt: skip
FAMILIES = [
    *QUICK.items(),
    *(pytest.param(*one, marks=pytest.mark.slow) for one in SLOW.items()),
]


def snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z]|V\d)", "_", name).lower()


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_of_keras_is_found(name):
    constructor = keras_applications.find_constructor(snake_case(name))
    assert constructor is getattr(keras.applications, name)
    assert callable(keras_applications.scaling_for(constructor, None)[1])


@pytest.mark.parametrize(("name", "size"), FAMILIES)
def test_features_are_those_of_keras(name, size):
    encoder = load_encoder(small(name=name, input_size=size))
    photos = [photo(i) for i in range(2)]
    pixels = [tf.cast(decode_photo(one), tf.float32) for one in photos]
    resized = keras.ops.image.resize(tf.stack(pixels), (size, size), antialias=True)
    constructor = keras_applications.find_constructor(name)
    model = constructor(
        weights=None, include_top=False, input_shape=(size, size, 3), pooling="avg"
    )
    keras_applications.draw(model, 0)
    module = __import__(constructor.__module__, fromlist=["preprocess_input"])
    expected = model(module.preprocess_input(resized.numpy())).numpy()
    features, _ = encoder.encode(photos)
    assert features.shape == expected.shape and expected.std() > 0
    np.testing.assert_allclose(features, expected, 1e-3, 1e-4 * expected.max())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "mobilenet_v4"}, "no 'mobilenet_v4'.*near it: .*mobilenetv"),
        ({"name": "MobileNet"}, "no 'MobileNet' .*write it in snake case"),
        ({"name": "preprocess_input"}, "no 'preprocess_input'"),
        (
            {"name": "zzz"},
            r"keras.applications has no 'zzz' \(write it in snake case\)$",
        ),
        (
            {"weights": "/no.weights.h5"},
            "encoder.weights: no file '/no.weights.h5'.*--encoder_weights FILE",
        ),
        ({"layer": "conv_pw_13_rel"}, "no layer 'conv_pw_13_rel'.*conv_pw_13_relu"),
        (
            {"name": "inception_v3"},
            "encoder.input_size: inception_v3 cannot be built for photos of 32 x 32 ",
        ),
    ],
)
def test_what_does_not_exist_is_named(changes, message):
    with pytest.raises(UserError, match=message):
        load_encoder(small(**changes))


def test_weights_that_cannot_be_downloaded(monkeypatch):
    def fail(weights, **_):
        if weights:
            raise Exception(
                "URL fetch failure on https://host/w.h5: None --\n [Err -3]"
            )

    monkeypatch.setattr(keras_applications, "find_constructor", lambda name: fail)
    with pytest.raises(UserError) as error:
        load_encoder(small(weights="imagenet"))
    message = str(error.value)
    assert "the ImageNet weights of mobilenet could not be downloaded" in message
    assert "URL fetch failure on https://host/w.h5" in message
    assert "--set encoder.weights=FILE.weights.h5" in message
    assert "\n" not in message


def test_weights_of_another_network(tmp_path):
    path = str(tmp_path / "other.weights.h5")
    keras.Sequential([keras.Input([4]), keras.layers.Dense(2)]).save_weights(path)
    with pytest.raises(UserError, match=r"encoder.weights: .* does not fit mobilenet"):
        load_encoder(small(weights=path))


@pytest.mark.usefixtures("without_beam")
def test_weights_from_a_file_wherever_it_lies(tmp_path):
    path = str(tmp_path / "own.weights.h5")
    network = keras.applications.MobileNet(
        weights=None, include_top=False, input_shape=(32, 32, 3)
    )
    keras_applications.draw(network, 0)
    network.save_weights(path)
    remote = "ram://weights/of_another_name.weights.h5"
    tf.io.gfile.makedirs("ram://weights")
    tf.io.gfile.copy(path, remote)
    info = info_of(weights=path)
    assert info.weights == "own.weights.h5"
    assert {info.digest, info_of(weights=remote).digest} == {info_of().digest}


def test_the_seed_decides_random_weights():
    assert info_of(seed=1) == info_of(seed=1)
    assert info_of(seed=1).digest != info_of().digest


def test_a_network_by_name_may_be_given_other_pixels():
    photos = [photo(i) for i in range(2)]
    # MobileNet's own are those of mode tf.
    own, same, other = (
        load_encoder(small(layer="conv1", preprocessing=mode)).encode(photos)[0]
        for mode in (None, "tf", "torch")
    )
    np.testing.assert_allclose(same, own, 1e-5, 1e-9)
    assert np.abs(other - own).max() > 1e-3 * np.abs(own).max()


def test_random_weights_do_not_depend_on_what_else_draws_numbers(monkeypatch):
    first = load(small(seed=1)).contents
    monkeypatch.setattr(random, "randint", lambda *_: 7)
    again, others = load(small(seed=1)).contents, load(small(seed=2)).contents
    assert [bytes(part) for part in again] == [bytes(part) for part in first]
    assert [bytes(part) for part in others] != [bytes(part) for part in first]
