"""Encoders that compute in bfloat16 or float16."""

import numpy as np
import own_models
import pytest
import tensorflow as tf
from drawn_photos import photo, small

from records.errors import UserError
from tfcap.encoders import load_encoder
from tfcap.encoders.encoder import load_network
from tfcap.encoders.trainable import TrainableEncoder

PHOTOS = [photo(0), photo(1)]
EARLY = {"layer": "conv_pw_5_relu", "pooling": "grid"}


@pytest.mark.parametrize(
    ("precision", "most"), [("bfloat16", 0.05), ("float16", 0.005)]
)
def test_features_are_those_of_float32_but_for_their_last_digits(
    tmp_path, precision, most
):
    path = own_models.save(tmp_path / "models")
    encoder = load_encoder(own_models.own(path, precision=precision))
    features, _ = encoder.encode(PHOTOS)
    exact = encoder.exact()
    expected, _ = exact.encode(PHOTOS)
    error = np.linalg.norm(features - expected) / np.linalg.norm(expected)
    assert most / 1000 < error < most
    assert features.dtype == np.float32
    info = encoder.info
    assert (info.precision, exact.info.precision) == (precision, "float32")
    assert info.float32_digest == exact.info.digest != info.digest
    assert exact.info.float32_digest is None and exact.exact is None


def test_weights_stay_float32():
    network = load_network(small(**EARLY, precision="bfloat16"))
    assert {weight.dtype for weight in network.model.get_weights()} == {np.dtype("f4")}
    assert network.model(tf.zeros([1, 32, 32, 3])).dtype == tf.bfloat16


def test_a_saved_model_computes_as_it_was_saved(tmp_path):
    path = own_models.save_function(tmp_path / "saved", lambda pixels: pixels)
    with pytest.raises(
        UserError, match=r"encoder\.precision: saved is a SavedModel, w"
    ):
        load_network(own_models.own(path, precision="float16"))


def test_an_encoder_is_trained_in_float32():
    config = small(**EARLY, precision="bfloat16")
    network = load_network(config)
    info = load_encoder(config).info
    with pytest.raises(UserError, match=r"built with encoder\.precision: bfloat16"):
        TrainableEncoder(network, config, info)
