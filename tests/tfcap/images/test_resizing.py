"""Photos become squares as the settings say."""

import numpy as np
import pytest
import tensorflow as tf

from tfcap.images.decoding import read_photo, read_what_can_be
from tfcap.images.resizing import SQUASH, Resizing, make_square, resize

WIDE = np.arange(2 * 5 * 3, dtype=np.uint8).reshape(2, 5, 3)


def square(pixels: np.ndarray, fit: str) -> np.ndarray:
    return make_square(tf.constant(pixels), fit).numpy()


def test_a_crop_is_the_square_at_the_centre():
    np.testing.assert_array_equal(square(WIDE, "crop"), WIDE[:, 1:3])
    tall = WIDE.transpose(1, 0, 2)
    np.testing.assert_array_equal(square(tall, "crop"), tall[1:3])
    np.testing.assert_array_equal(square(WIDE, "squash"), WIDE)


def test_a_padded_photo_is_whole_with_black_above_and_below():
    padded = square(WIDE, "pad")
    np.testing.assert_array_equal(padded[1:3], WIDE)
    assert not padded[[0, 3]].any()


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("antialias", [True, False])
def test_interpolation_is_that_of_tensorflow(interpolation, antialias):
    pixels = np.random.default_rng(0).integers(0, 256, [9, 7, 3], np.uint8)
    found = resize(tf.constant(pixels), 4, Resizing("crop", interpolation, antialias))
    expected = tf.image.resize(pixels[1:8], [4, 4], interpolation, antialias=antialias)
    assert found.dtype == tf.float32
    np.testing.assert_array_equal(found, tf.cast(expected, tf.float32))


def test_both_ways_of_reading_resize_the_same():
    pixels = np.random.default_rng(0).integers(0, 256, [9, 20, 3], np.uint8)
    photo = tf.io.encode_png(pixels)
    settings = Resizing("crop", "bicubic", False)
    alone = read_photo(photo, 6, settings)
    batch, error = read_what_can_be(tf.stack([photo, "no photo"]), 6, settings)
    np.testing.assert_array_equal(batch[0], alone)
    assert error[0] == b"" and error[1] != b""
    assert not np.array_equal(alone, read_photo(photo, 6))


def test_the_description_of_what_was_there_before_stays():
    """It is a part of the digest of every encoder."""
    assert SQUASH.description == "resize bilinear, antialias"
    settings = [
        Resizing(fit, interpolation, antialias, rounded)
        for fit in ("squash", "crop", "pad")
        for interpolation in ("bilinear", "bicubic")
        for antialias in (True, False)
        for rounded in (True, False)
    ]
    assert len({each.description for each in settings}) == len(settings)


def test_rounded_pixels_are_bytes():
    """Bicubic interpolation overshoots at the edge of black and white."""
    edge = np.repeat(np.array([0] * 5 + [255] * 5, np.uint8), 30).reshape(10, 10, 3)
    free, rounded = (
        resize(tf.constant(edge), 7, Resizing("squash", "bicubic", False, rounds))
        for rounds in (False, True)
    )
    assert free.numpy().min() < 0 and free.numpy().max() > 255
    np.testing.assert_array_equal(rounded, np.clip(np.round(free), 0, 255))
