"""What every encoder does, shown by a MobileNet of 32 pixels with random weights."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf
from drawn_photos import drawing, info_of, photo, small
from PIL import Image

from records.errors import UserError
from records.format.manifest import EncoderInfo
from tfcap.encoders import (
    Encoder,
    keras_applications,
    load_encoder,
    unreadable,
)
from tfcap.encoders.encoder import describe, loaded, pool
from tfcap.images.decoding import decode_photo


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder(small())


@pytest.fixture(scope="module")
def poolings() -> dict[str, Encoder]:
    """Cut early in the network, where a photo of 32 pixels still has cells."""
    kinds = ("avg", "flatten", "grid")
    return {k: load_encoder(small(layer="conv_pw_5_relu", pooling=k)) for k in kinds}


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


@pytest.mark.parametrize("pooling", ["avg", "flatten"])
def test_features_without_cells_are_not_pooled(pooling):
    features = tf.constant([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(pool(features, pooling), features)


@pytest.mark.parametrize(
    ("pooling", "shape"),
    [("grid", [2, 5]), ("avg", [2, 3, 5]), ("grid", [2, 3, 5]), ("flatten", [2])],
)
def test_pooling_needs_cells(pooling, shape):
    message = rf"encoder.pooling: '{pooling}' needs .*gives \{shape[1:]}"
    with pytest.raises(UserError, match=message):
        pool(tf.zeros(shape), pooling)


def test_an_encoder_is_built_once_per_process(encoder):
    first = load_encoder(small())
    assert load_encoder(small()) is first
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


@pytest.mark.parametrize(
    "content", [photo(kind="WEBP"), photo(kind="TIFF"), photo()[:-200], b"", b"RIFF"]
)
def test_no_photo_fails_those_beside_it(content):
    encoder = load_encoder(small())
    features, bad = encoder.encode([photo(1), content, photo(2)])
    expected, _ = encoder.encode([photo(1), photo(2)])
    good = [features[0], features[-1]]
    np.testing.assert_allclose(good, expected, 1e-4, 1e-6)
    assert len(features) + len(bad) == 3
    assert [i for i, _ in bad] == ([] if content[8:12] == b"WEBP" else [1])


def test_a_photo_that_its_header_refuses_is_not_decoded(encoder, monkeypatch):
    png = bytearray(photo(kind="PNG"))
    png[16:24] = (60_000).to_bytes(4) * 2
    read = []
    monkeypatch.setattr(
        "tfcap.encoders.encoder.read_photo", lambda content, _: read.append(content)
    )
    features, bad = encoder.encode([photo(1), bytes(png)])
    assert bad == [(1, "too many pixels: 60000 x 60000 pixels; 89,478,485 at most")]
    assert (len(features), len(read)) == (1, 1)


def test_why_a_photo_cannot_be_decoded():
    assert unreadable(photo(), 8) is None
    assert unreadable(b"no photo", 8) == "not an image: begins with b'no photo'"
    assert "JPEG" in unreadable(photo()[:-200], 8)


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"layer": "conv_pw_13_relu"},  # the last: the same weights
        {"input_size": 64},
        {"preprocessing": "caffe"},
    ],
)
def test_another_network_has_another_digest(changes):
    assert info_of(**changes).digest != info_of().digest


def test_other_features_of_one_network_have_other_digests():
    network = keras_applications.load(small())
    changes = [{}, {"pooling": "flatten"}, {"pooling": "grid"}]
    changes += [{"crops": 5}, {"flip": True}, {"crops": 5, "flip": True}]
    infos = [describe(network, small(**change)) for change in changes]
    assert len({info.digest for info in infos}) == len(changes)
    views = [(info.crops, info.flip) for info in infos[-3:]]
    assert views == [(5, False), (1, True), (5, True)]
    assert infos[0] == info_of()


def test_a_manifest_from_before_views_and_own_models_still_opens():
    older = {
        "name": "mobilenet",
        "layer": None,
        "pooling": "avg",
        "input_size": 32,
        "preprocessing": "decode_jpeg INTEGER_ACCURATE, 3 channels; resize bilinear, "
        "antialias; keras preprocess_input",
        "weights": "random",
        "digest": "0" * 64,
    }
    info = info_of()
    assert EncoderInfo(**older) == info.model_copy(update={"digest": "0" * 64})


def test_threads_that_ask_at_the_same_time_get_the_same_encoder():
    loaded.cache_clear()
    config = small(seed=3)
    with ThreadPoolExecutor(4) as threads:
        first, *others = threads.map(load_encoder, [config] * 4)
    assert all(other is first for other in others)
    loaded.cache_clear()
    assert load_encoder(config).info == first.info
