"""A `.keras` file as the encoder."""

import os
import shutil
import time
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from drawn_photos import encoded, photo, pixels, sharp
from own_models import SIZE, network, own, save

from records.errors import UserError
from tfcap.encoders import load_encoder
from tfcap.encoders.encoder import describe
from tfcap.encoders.keras_file import load

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
SCALED = {
    "none": lambda pixels: pixels,
    "unit": lambda pixels: pixels / 255,
    "tf": lambda pixels: pixels / 127.5 - 1,
    "torch": lambda pixels: (pixels / 255 - MEAN) / DEVIATION,
    "caffe": lambda pixels: pixels[..., ::-1] - [103.939, 116.779, 123.68],
}


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> str:
    return save(tmp_path_factory.mktemp("model"))


def info(path: str, **settings):
    config = own(path, **settings)
    return describe(load(config, path), config)


def refusal(path: str, **settings) -> str:
    with pytest.raises(UserError) as error:
        load_encoder(own(path, **settings))
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("mode", SCALED)
def test_features_are_the_models_of_pixels_scaled_as_said(path, mode):
    encoder = load_encoder(own(path, preprocessing=mode))
    image = sharp(0, SIZE)
    expected = network()(SCALED[mode](pixels(image))).numpy().mean((1, 2))
    features, _ = encoder.encode([encoded(image)])
    np.testing.assert_allclose(features, expected, 1e-4, 1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        ({}, (5,)),
        ({"pooling": "flatten"}, (2 * 2 * 5,)),
        ({"pooling": "grid"}, (2, 2, 5)),
        ({"layer": "early", "pooling": "grid"}, (8, 8, 4)),
        ({"layer": "early", "crops": 5, "flip": True}, (4,)),
    ],
)
def test_layer_pooling_and_views_are_as_for_a_network_by_name(path, settings, shape):
    encoder = load_encoder(own(path, **settings))
    features, bad = encoder.encode([photo(), b"no photo"])
    assert (encoder.shape, features.shape) == (shape, (1, *shape))
    assert [i for i, _ in bad] == [1]


def test_the_manifest_says_what_it_was(path):
    found = info(path, layer="early", flip=True)
    assert (found.kind, found.name, found.weights) == ("keras_file", *2 * ["own.keras"])
    assert (found.layer, found.input_size, found.flip) == ("early", SIZE, True)
    assert found.preprocessing.endswith("; pixels 0 to 1")


def test_the_digest_is_that_of_graph_and_weights(path, tmp_path):
    moved = shutil.copy(path, tmp_path / "moved.keras")
    os.utime(moved, (0, 0))
    assert info(str(moved)).digest == info(path).digest
    time.sleep(1.1)  # the date of saving in the file counts in seconds
    assert info(save(tmp_path)).digest == info(path).digest
    others = [
        info(save(tmp_path, network(seed=1), "weights.keras")),
        info(save(tmp_path, network(kernel=5), "graph.keras")),
        info(path, preprocessing="tf"),
        info(path, layer="late"),
        info(path, pooling="grid"),
        info(path, crops=5),
    ]
    assert len({one.digest for one in [info(path), *others]}) == 7


@pytest.mark.usefixtures("without_beam")
def test_a_file_on_another_storage_is_the_same_encoder(path):
    tf.io.gfile.makedirs("ram://models")
    tf.io.gfile.copy(path, "ram://models/own.keras", overwrite=True)
    remote = load_encoder(own("ram://models/own.keras"))
    assert remote.info == info(path)
    there, _ = remote.encode([photo()])
    here, _ = load_encoder(own(path)).encode([photo()])
    np.testing.assert_array_equal(there, here)


def test_a_model_for_photos_of_any_size_needs_one(tmp_path):
    path = save(tmp_path, network((None, None, 3)))
    assert "takes photos of any size; choose one with encoder.input_" in refusal(path)
    encoder = load_encoder(own(path, input_size=64, pooling="grid"))
    assert (encoder.shape, encoder.info.input_size) == ((4, 4, 5), 64)


def test_a_model_that_ends_in_a_vector_is_taken_as_it_is(tmp_path):
    model = keras.Sequential([network(), keras.layers.GlobalMaxPooling2D()])
    path = save(tmp_path, model)
    image = sharp(0, SIZE)
    features, _ = load_encoder(own(path)).encode([encoded(image)])
    np.testing.assert_allclose(features, model(pixels(image) / 255), 1e-4, 1e-6)
    assert "'grid' needs a layer of [rows, columns, channels]; this one gives [5]" in (
        refusal(path, pooling="grid")
    )


def test_one_of_several_outputs_is_chosen_by_its_layer(tmp_path):
    one = network()
    both = [one.get_layer("early").output, one.get_layer("late").output]
    path = save(tmp_path, keras.Model(one.inputs, both))
    assert "has 2 outputs; name the layer" in refusal(path)
    assert load_encoder(own(path, layer="early")).shape == (4,)


def test_a_lambda_is_code_and_is_refused(tmp_path):
    shout = keras.layers.Lambda(lambda pixels: pixels * 2, name="shout")
    path = save(tmp_path, keras.Sequential([network(), shout]))
    message = refusal(path)
    assert "own.keras cannot be loaded: its layer 'shout' is a Lambda" in message
    assert (
        "Python code; save it as a SavedModel instead, model.export('DIR')" in message
    )


def test_a_lambda_never_runs(tmp_path):
    trace = tmp_path / "ran"
    layer = keras.layers.Lambda(lambda pixels, touch=trace.touch: touch() or pixels)
    path = save(tmp_path, keras.Sequential([network(), layer]))
    trace.unlink()  # Keras ran it to build the model
    refusal(path)
    assert not trace.exists()


def test_a_class_of_ones_own_is_refused(tmp_path):
    class Twice(keras.layers.Layer):
        def call(self, pixels):
            return pixels * 2

    def twice(pixels):
        return pixels * 2

    path = save(tmp_path, keras.Sequential([network(), Twice()]))
    assert "it needs the class Twice of your own code; save it as a Sav" in refusal(
        path
    )
    activation = keras.layers.Activation(twice)
    path = save(tmp_path, keras.Sequential([network(), activation]))
    assert "it needs the function twice of your own code; save" in refusal(path)


@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        (
            (SIZE, SIZE, 1),
            {},
            "takes float32 [None, 32, 32, 1]; an encoder takes photos",
        ),
        (
            (SIZE, 3),
            {},
            "takes float32 [None, 32, 3]; an encoder takes photos, float [",
        ),
        ((SIZE, 48, 3), {}, "takes 32 x 48 pixels; expected as many rows as columns"),
        ((SIZE, SIZE, 3), {"input_size": 64}, "encoder.input_size: 64, but own.keras"),
        ((SIZE, SIZE, 3), {"layer": "latest"}, "no layer 'latest'; near it: late"),
        ((SIZE, SIZE, 3), {"signature": "serve"}, "own.keras is no SavedModel"),
    ],
)
def test_a_model_that_does_not_suit_is_refused(tmp_path, shape, settings, message):
    rank = len(shape)
    layer = {3: network, 2: sequence}[rank]
    assert message in refusal(save(tmp_path, layer(shape)), **settings)


def sequence(shape) -> keras.Model:
    return keras.Sequential([keras.Input(shape), keras.layers.Dense(2)])


def test_a_model_of_other_inputs_is_refused(tmp_path):
    photos, words = keras.Input([SIZE, SIZE, 3], name="a"), keras.Input([4], name="b")
    added = keras.layers.Flatten()(photos), keras.layers.Dense(3072)(words)
    model = keras.Model([photos, words], keras.layers.Add()(added))
    assert "takes 2 inputs (a, b)" in refusal(save(tmp_path, model))
    unbuilt = keras.Sequential([keras.layers.Conv2D(3, 3)])
    with pytest.warns(UserWarning, match="not yet been built"):
        path = save(tmp_path, unbuilt, "unbuilt.keras")
    assert "does not say what it takes; begin it with a keras.Input" in refusal(path)
    bytes_ = save(tmp_path, network(dtype="uint8"), "bytes.keras")
    assert "takes uint8 [None, 32, 32, 3]; an encoder takes photos" in refusal(bytes_)


def test_what_is_no_model_file_is_refused(path, tmp_path):
    content = Path(path).read_bytes()
    files = {
        "text.keras": (
            b"no model",
            "is not what Keras saves, or is damaged: File is n",
        ),
        "cut.keras": (content[:-100], "is not what Keras saves, or is damaged"),
        "old.h5": (content, "old.h5 is neither a .keras file nor the directory of"),
    }
    for name, (content, message) in files.items():
        (tmp_path / name).write_bytes(content)
        assert message in refusal(str(tmp_path / name))
    with zipfile.ZipFile(tmp_path / "other.keras", "w") as archive:
        archive.writestr("a.txt", "a")
    assert "no item named 'config.json'" in refusal(str(tmp_path / "other.keras"))


def test_a_file_without_weights_is_refused(path, tmp_path):
    half = str(tmp_path / "half.keras")
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(half, "w") as archive:
        for name in ("config.json", "metadata.json"):
            archive.writestr(name, whole.read(name))
    assert "half.keras cannot be loaded: " in refusal(half)


def test_a_file_that_is_gone_is_named(tmp_path):
    message = refusal(str(tmp_path / "gone.keras"))
    assert (
        f"there is nothing at {tmp_path / 'gone.keras'}; expected a .keras" in message
    )
    assert "--set encoder.model=PATH; for tfcap export it is --encoder_model" in message
