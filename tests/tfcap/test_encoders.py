"""The encoder, as a MobileNet of 32 pixels with random weights."""

import io
import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from records.errors import UserError
from records.manifest import EncoderInfo
from tfcap import encoders
from tfcap.config import EncoderConfig
from tfcap.drawings import draw, imagine
from tfcap.encoders import decode_photo, load_encoder, undecodable


def config(**changes) -> EncoderConfig:
    small = {"name": "mobilenet", "weights": "random", "input_size": 32}
    return EncoderConfig(**{**small, **changes})


def drawing(seed: int = 0) -> Image.Image:
    rng = random.Random(seed)
    return draw(imagine(rng), 64, rng)


def photo(seed: int = 0, kind: str = "JPEG", mode: str = "RGB", **options) -> bytes:
    file = io.BytesIO()
    drawing(seed).convert(mode).save(file, kind, **options)
    return file.getvalue()


def describe(config: EncoderConfig) -> EncoderInfo:
    """What an encoder's manifest entry would be, without freezing its graph."""
    network = encoders.find_network(config.name)
    return encoders.describe(encoders.build(network, config, 32), config, 32)


@pytest.fixture(scope="module")
def encoder() -> encoders.Encoder:
    return load_encoder(config())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "mobilenet_v4"}, "no 'mobilenet_v4'.*near it: .*mobilenetv"),
        ({"name": "MobileNet"}, "no 'MobileNet' .*write it in snake case"),
        (
            {"name": "zzz"},
            r"keras.applications has no 'zzz' \(write it in snake case\)$",
        ),
        ({"weights": "/no.weights.h5"}, "encoder.weights: no file '/no.weights.h5'"),
        ({"layer": "conv_pw_13_rel"}, "no layer 'conv_pw_13_rel'.*conv_pw_13_relu"),
    ],
)
def test_what_does_not_exist_is_named(changes, message):
    with pytest.raises(UserError, match=message):
        load_encoder(config(**changes))


def test_weights_that_cannot_be_downloaded(monkeypatch):
    def fail(**_):
        raise Exception("URL fetch failure on https://host/w.h5: None --\n [Errno -3]")

    monkeypatch.setattr(encoders, "find_network", lambda name: fail)
    with pytest.raises(UserError) as error:
        load_encoder(config(weights="imagenet"))
    message = str(error.value)
    assert "the ImageNet weights of mobilenet could not be downloaded" in message
    assert "URL fetch failure on https://host/w.h5" in message
    assert "--set encoder.weights=FILE.weights.h5" in message
    assert "\n" not in message


def test_weights_of_another_network(tmp_path):
    path = str(tmp_path / "other.weights.h5")
    keras.Sequential([keras.Input([4]), keras.layers.Dense(2)]).save_weights(path)
    with pytest.raises(UserError, match=r"encoder.weights: .* does not fit mobilenet"):
        load_encoder(config(weights=path))


def test_weights_from_a_file(encoder, tmp_path):
    path = str(tmp_path / "own.weights.h5")
    keras.utils.set_random_seed(0)
    network = keras.applications.MobileNet(
        weights=None, include_top=False, input_shape=(32, 32, 3)
    )
    network.save_weights(path)
    info = describe(config(weights=path))
    assert info.weights == "own.weights.h5"
    assert info.digest == encoder.info.digest


@pytest.fixture(scope="module")
def poolings() -> dict[str, encoders.Encoder]:
    """Cut early in the network, where a photo of 32 pixels still has cells."""
    kinds = ("avg", "flatten", "grid")
    return {k: load_encoder(config(layer="conv_pw_5_relu", pooling=k)) for k in kinds}


@pytest.mark.parametrize(
    ("pooling", "shape"),
    [("avg", (256,)), ("flatten", (4 * 4 * 256,)), ("grid", (4, 4, 256))],
)
def test_the_shape_of_features(poolings, pooling, shape):
    encoder = poolings[pooling]
    features, bad = encoder.encode([photo(0), photo(1)])
    assert (encoder.shape, features.shape) == (shape, (2, *shape))
    assert (features.dtype, bad) == ("float32", [])


def test_poolings_are_of_one_network(poolings):
    features = {name: one.encode([photo()])[0] for name, one in poolings.items()}
    grid = features["grid"]
    np.testing.assert_array_equal(features["flatten"], grid.reshape([1, -1]))
    np.testing.assert_allclose(features["avg"], grid.mean((1, 2)), 1e-5, 1e-8)
    assert len({one.info.digest for one in poolings.values()}) == 3


def test_pooling_needs_cells():
    inputs = keras.Input([4])
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    with pytest.raises(UserError, match=r"encoder.pooling: 'avg' needs .* gives \[2\]"):
        encoders.pool(model, "avg")


def test_the_same_seed_gives_the_same_encoder_and_another_another(encoder):
    assert describe(config()).digest == encoder.info.digest
    assert describe(config(seed=1)).digest != encoder.info.digest


def test_an_encoder_is_built_once_per_process(encoder):
    first = load_encoder(config())
    assert load_encoder(config()) is first
    photos = [photo(0), photo(1)]
    assert (first.encode(photos)[0] == encoder.encode(photos)[0]).all()


def test_bad_photos_cost_only_themselves(encoder):
    photos = [b"", photo(1), photo(2)[:-200], b"no photo", photo(3)]
    features, bad = encoder.encode(photos)
    assert [i for i, _ in bad] == [0, 2, 3]
    assert all(reason and "\n" not in reason for _, reason in bad)
    alone, _ = encoder.encode([photo(1), photo(3)])
    np.testing.assert_array_equal(features, alone)


def test_bad_photos_only(encoder):
    features, bad = encoder.encode([b"", b"x"])
    assert (features.shape, len(bad)) == ((0, *encoder.shape), 2)


def test_no_photos(encoder):
    features, bad = encoder.encode([])
    assert (features.shape, bad) == ((0, *encoder.shape), [])


def test_a_photo_has_the_features_that_it_has_alone(encoder):
    together, _ = encoder.encode([photo(i) for i in range(5)])
    alone = [encoder.encode([photo(i)])[0][0] for i in range(5)]
    np.testing.assert_allclose(together, alone, 1e-4, 1e-7)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}])
def test_pixels_are_pillows(options):
    content = photo(quality=92, **options)
    pixels = decode_photo(tf.constant(content)).numpy().astype(int)
    pillow = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
    assert np.abs(pixels - pillow).max() <= 1


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("PNG", "RGB"), ("PNG", "RGBA"), ("PNG", "L"), ("GIF", "P"), ("JPEG", "L")],
)
def test_other_formats_are_read_as_pillow_reads_them(kind, mode):
    content = photo(kind=kind, mode=mode)
    pixels = decode_photo(tf.constant(content)).numpy()
    pillow = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    np.testing.assert_array_equal(pixels, pillow)


def test_a_cmyk_photo_looks_like_its_rgb_version():
    cmyk = decode_photo(tf.constant(photo(mode="CMYK", quality=95))).numpy()
    rgb = np.asarray(drawing()).astype(int)
    assert np.abs(cmyk - rgb).mean() < 3


def test_why_a_photo_cannot_be_decoded():
    assert undecodable(photo()) is None
    assert "image file format" in undecodable(b"no photo")
    assert "JPEG" in undecodable(photo()[:-200])
