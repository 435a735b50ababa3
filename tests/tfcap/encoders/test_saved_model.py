"""A SavedModel as the encoder."""

import os
import shutil

import numpy as np
import pytest
import tensorflow as tf
from drawn_photos import encoded, photo, pixels, sharp
from own_models import SIZE, network, own, save, save_function

from records.errors import UserError
from tfcap.encoders import load_encoder
from tfcap.encoders.encoder import describe, loaded
from tfcap.encoders.saved_model import digest_of, load


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> str:
    """The model that `save` saves, as Keras exports it."""
    path = str(tmp_path_factory.mktemp("model") / "exported")
    network().export(path, verbose=False)
    return path


def info(path: str, **settings):
    config = own(path, **settings)
    return describe(load(config, path), config)


def refusal(path: str, **settings) -> str:
    with pytest.raises(UserError) as error:
        load_encoder(own(path, **settings))
    assert "\n" not in str(error.value)
    return str(error.value)


class Weighted(tf.Module):
    """A module whose variable counts its calls."""

    def __init__(self):
        super().__init__()
        self.calls = tf.Variable(0.0)

    def count(self, photos):
        return tf.reduce_mean(photos, [1, 2]) + self.calls.assign_add(1.0)


@pytest.mark.parametrize(
    "settings", [{}, {"pooling": "flatten"}, {"pooling": "grid", "flip": True}]
)
def test_features_are_those_of_the_keras_file(path, tmp_path, settings):
    photos = [photo(0), photo(1)]
    exported = load_encoder(own(path, **settings))
    saved = load_encoder(own(save(tmp_path), **settings))
    features, _ = exported.encode(photos)
    assert exported.shape == saved.shape
    np.testing.assert_allclose(features, saved.encode(photos)[0], 1e-5, 1e-7)


def test_the_manifest_says_what_it_was(path):
    found = info(path + "/", signature="serve", preprocessing="torch")
    assert (found.kind, found.name, found.signature) == (
        "saved_model",
        "exported",
        "serve",
    )
    assert found.preprocessing.endswith("; keras preprocess_input, mode torch")


def test_the_digest_is_that_of_graph_and_weights(path, tmp_path):
    moved = shutil.copytree(path, tmp_path / "moved")
    (moved / "fingerprint.pb").unlink()  # drawn anew at each saving
    assert info(str(moved)).digest == info(path).digest
    network(seed=1).export(tmp_path / "weights", verbose=False)
    network(kernel=5).export(tmp_path / "graph", verbose=False)
    others = [
        info(str(tmp_path / "weights")),
        info(str(tmp_path / "graph")),
        info(path, signature="serve"),
        info(path, preprocessing="none"),
        info(path, flip=True),
    ]
    assert len({one.digest for one in [info(path), *others]}) == 6


def test_a_file_beside_the_weights_may_have_any_name(tmp_path):
    (tmp_path / "assets").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(b"graph")
    before = digest_of(str(tmp_path))
    with open(os.fsencode(tmp_path) + b"/assets/caf\xe9", "wb"):
        pass
    assert digest_of(str(tmp_path)) != before


@pytest.mark.usefixtures("without_beam")
def test_a_directory_on_another_storage_is_the_same_encoder(path):
    for folder, _, names in tf.io.gfile.walk(path):
        there = folder.replace(path, "ram://exported")
        tf.io.gfile.makedirs(there)
        for name in names:
            tf.io.gfile.copy(f"{folder}/{name}", f"{there}/{name}", overwrite=True)
    remote = load_encoder(own("ram://exported"))
    assert remote.info == info(path)
    np.testing.assert_array_equal(
        remote.encode([photo()])[0], load_encoder(own(path)).encode([photo()])[0]
    )


def test_any_function_of_pixels_will_do(tmp_path):
    path = save_function(
        tmp_path / "means",
        lambda photos: {"mean": tf.reduce_mean(photos, [1, 2]), "photos": photos},
        (None, None, None, 3),
    )
    assert "has several outputs; name one of mean, photos" in (
        refusal(path, input_size=SIZE)
    )
    assert "has no output 'means'; name one of" in (
        refusal(path, input_size=SIZE, layer="means")
    )
    assert "takes photos of any size; choose one" in refusal(path, layer="mean")
    image = sharp(0, SIZE)
    encoder = load_encoder(own(path, input_size=SIZE, layer="mean"))
    features, _ = encoder.encode([encoded(image)])
    np.testing.assert_allclose(features[0], pixels(image)[0].mean((0, 1)) / 255, 1e-5)
    cells = load_encoder(own(path, input_size=SIZE, layer="photos", pooling="grid"))
    assert cells.shape == (SIZE, SIZE, 3)


def test_half_precision_is_given_what_it_takes(tmp_path):
    path = save_function(
        tmp_path / "half", lambda photos: tf.reduce_mean(photos, [1, 2]), dtype=tf.half
    )
    features, _ = load_encoder(own(path)).encode([photo()])
    assert features.dtype == np.float32 and 0 < features.min() < features.max() < 1


class Tabled(tf.Module):
    """A module with a table that its function looks up."""

    def __init__(self):
        super().__init__()
        values = tf.lookup.KeyValueTensorInitializer([1, 2], [1.0, 2.0])
        self.table = tf.lookup.StaticHashTable(values, 0.0)

    def look_up(self, photos):
        return tf.reduce_mean(photos, [1, 2]) + self.table.lookup(tf.constant(1))


def noisy(photos):
    return tf.reduce_mean(photos, [1, 2]) + tf.random.uniform([1])


def normalized_over_the_batch(photos):
    means = tf.reduce_mean(photos, [1, 2])
    return means - tf.reduce_mean(means, 0)


def not_finite(photos):
    return tf.reduce_mean(photos, [1, 2]) / 0.0


def bright_cells(photos):
    return tf.boolean_mask(photos, photos[0, :, 0, 0] > 0.5, axis=1)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (noisy, "gives a photo other features when asked again; save it as it is out"),
        (
            normalized_over_the_batch,
            "gives a photo other features beside another photo",
        ),
        (
            not_finite,
            "features that are no finite numbers; check encoder.preprocessing",
        ),
        (bright_cells, "have no shape that is the same for all photos: [None, 32, 3]"),
    ],
)
def test_a_function_of_more_than_the_photo_is_refused(tmp_path, function, message):
    path = save_function(tmp_path / "odd", function)
    pooling = "grid" if function is bright_cells else "avg"
    assert message in refusal(path, pooling=pooling)


def test_a_model_that_changes_itself_is_refused(tmp_path):
    module = Weighted()
    path = save_function(tmp_path / "counting", module.count, module=module)
    assert "counting cannot be frozen for photos of 32 x 32 pixels: " in refusal(path)


def test_a_model_with_a_table_is_refused(tmp_path):
    module = Tabled()
    path = save_function(tmp_path / "tabled", module.look_up, module=module)
    assert "tabled holds a table or another state that is no weight" in refusal(path)


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [
        (
            (None,),
            tf.string,
            "takes string [None]; an encoder takes photos, float [batc",
        ),
        ((None, SIZE, SIZE, 3), tf.uint8, "takes uint8 [None, 32, 32, 3]; an encoder"),
        ((None, 3, SIZE, SIZE), tf.float32, "takes float32 [None, 3, 32, 32]; an enc"),
        (None, tf.float32, "takes float32 of any shape; an encoder takes photos"),
        (
            (8, SIZE, SIZE, 3),
            tf.float32,
            "takes batches of 8 alone; save it with a bat",
        ),
        (
            (None, SIZE, 48, 3),
            tf.float32,
            "takes 32 x 48 pixels; expected as many rows",
        ),
    ],
)
def test_what_takes_no_photos_is_refused(tmp_path, shape, dtype, message):
    path = save_function(tmp_path / "other", lambda x: {"same": x}, shape, dtype)
    assert f"encoder.model: {message.replace('takes', 'other takes', 1)}" in refusal(
        path
    )


def test_two_inputs_are_refused(tmp_path):
    module = tf.Module()
    specs = [tf.TensorSpec([None, SIZE, SIZE, 3], name=name) for name in ("a", "b")]
    module.add = tf.function(lambda a, b: a + b, specs, autograph=False)
    tf.saved_model.save(module, str(tmp_path / "two"), signatures=module.add)
    assert "two takes 2 inputs (a, b); an encoder takes" in refusal(
        str(tmp_path / "two")
    )


def test_a_signature_that_is_not_there_is_named(path):
    message = refusal(path, signature="encode")
    assert (
        "exported has no signature 'encode'; it has serve, serving_default" in message
    )


def test_what_is_no_saved_model_is_refused(path, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert refusal(str(empty)).endswith("it has no saved_model.pb")
    shutil.copytree(path, empty / "1")
    assert "it has no saved_model.pb; there is one in empty/1" in refusal(str(empty))
    damaged = shutil.copytree(path, tmp_path / "damaged")
    shutil.rmtree(damaged / "variables")
    assert "damaged cannot be loaded: " in refusal(str(damaged))
    (damaged / "saved_model.pb").write_bytes(b"no graph")
    loaded.cache_clear()
    assert "damaged cannot be loaded: " in refusal(str(damaged))
