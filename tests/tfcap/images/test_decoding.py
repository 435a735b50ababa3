"""Photos as strangers send them, read in graph, beside what Pillow makes of them."""

import io
import math
import time

import numpy as np
import pytest
import tensorflow as tf
from drawn_photos import drawing, encoded, photo
from PIL import Image, ImageOps

from records.photo_header import SCANS, read_header
from tfcap.config.serving import ServingConfig
from tfcap.images import decoding
from tfcap.images.decoding import (
    DAMAGED,
    EMPTY,
    NOT_A_PHOTO,
    decode_common,
    decode_photo,
    read_photo,
    read_what_can_be,
    resize,
)
from tfcap.images.exif import TAG, orientation, upright

SIDE = 24
BYTES = [tf.TensorSpec([], tf.string)]
read = tf.function(lambda photo: read_photo(photo, SIDE), input_signature=BYTES)
held = tf.function(orientation, input_signature=BYTES)
decode_upright = tf.function(
    lambda photo: upright(decode_photo(photo), photo), input_signature=BYTES
)
read_all = tf.function(
    lambda photos: read_what_can_be(photos, SIDE),
    input_signature=[tf.TensorSpec([None], tf.string)],
)


def animated_webp() -> bytes:
    """TensorFlow 2.21 corrupts its memory on it: it must never reach the decoder."""
    more = [drawing(1), drawing(2)]
    return encoded(drawing(), "WEBP", save_all=True, append_images=more)


def turned(value: int, kind: str = "JPEG") -> bytes:
    """A drawing wider than high whose EXIF holds `value`."""
    exif = Image.Exif()
    exif[TAG] = value
    options = {"lossless": True} if kind == "WEBP" else {}
    return encoded(drawing().crop((0, 0, 64, 40)), kind, exif=exif, **options)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("value", range(10))
def test_a_photo_stands_as_its_exif_says(kind, value):
    content = turned(value, kind)
    with Image.open(io.BytesIO(content)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    found = decode_upright(content).numpy()
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert held(content) == (value if 1 <= value <= 8 else 1)


def test_little_endian_exif():
    content = turned(6)
    big = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06"
    little = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0"
    assert big in content
    assert held(content.replace(big, little)) == 6


def test_broken_exif_loses_no_photo():
    rng = np.random.default_rng(0)
    whole = [turned(6, kind) for kind in ("JPEG", "PNG", "WEBP")]
    for i in range(450):
        content = bytearray(whole[i % 3])
        for at in rng.integers(0, 120, rng.integers(1, 6)):
            content[at] = rng.integers(0, 256)
        assert 1 <= held(bytes(content[: rng.integers(0, 200)])) <= 8


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("BMP", mode) for mode in ("RGB", "RGBA", "L", "P")]
    + [("JPEG", "CMYK"), ("JPEG", "L"), ("GIF", "P"), ("PNG", "RGBA")]
    + [("WEBP", "RGB"), ("WEBP", "L")],
)
def test_formats_are_read_as_pillow_reads_them(kind, mode):
    content = photo(kind=kind, mode=mode)
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
    assert np.abs(decode_photo(tf.constant(content)).numpy() - expected).max() <= 1


def test_transparent_webp_is_what_lies_below():
    image = drawing().convert("RGBA")
    image.putalpha(99)
    content = encoded(image, "WEBP", lossless=True, exact=True)
    found = decode_photo(tf.constant(content)).numpy()
    np.testing.assert_array_equal(found, np.asarray(image)[..., :3])


def test_of_a_gif_the_first_frame_counts():
    frames = [drawing(i).convert("P") for i in range(3)]
    many = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(read(many), read(encoded(frames[0], "GIF")))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", EMPTY),
        (b"no photo at all", NOT_A_PHOTO),
        (photo()[:-200], DAMAGED),
        (photo()[:3], DAMAGED),
        (photo(kind="PNG")[:100], DAMAGED),
        (photo(kind="BMP")[:300], DAMAGED),
        (b"BM", DAMAGED),
        (b"GIF89a", DAMAGED),
        (photo(kind="TIFF"), NOT_A_PHOTO),
        (photo(kind="WEBP")[:60], DAMAGED),
        (animated_webp(), DAMAGED),
        (b"RIFF", DAMAGED),
    ],
)
def test_a_bad_photo_costs_only_itself(content, problem):
    photos = [photo(1), content, photo(2, "GIF"), turned(6)]
    pixels, errors = read_all(photos)
    assert errors.numpy().tolist() == [b"", problem.encode(), b"", b""]
    for i in (0, 2, 3):  # bit for bit as when nothing else is there
        np.testing.assert_array_equal(pixels[i], read(photos[i]))
    assert not pixels[1].numpy().any()


def test_no_photo_is_decoded_twice(monkeypatch):
    """But a GIF of several frames; of a single frame it is read at once."""
    seen = []

    def decode(photo):
        with tf.control_dependencies([tf.py_function(seen.append, [photo], [])]):
            return decode_common(tf.identity(photo))

    monkeypatch.setattr(decoding, "decode_common", decode)
    photos = [photo(kind=kind) for kind in ("JPEG", "WEBP", "BMP", "GIF")]
    _, errors = read_what_can_be(tf.constant(photos), SIDE)
    assert errors.numpy().tolist() == [b""] * 4
    assert sorted(one.numpy() for one in seen) == sorted(
        [photos[0], b"", b"", photos[3]]
    )


@pytest.mark.parametrize("photos", [[], [b""], [b"x", b"BM"]])
def test_no_photo_can_be_read(photos):
    pixels, errors = read_all(tf.constant(photos, tf.string))
    assert pixels.shape == (len(photos), SIDE, SIDE, 3)
    assert all(error for error in errors.numpy())


@pytest.mark.parametrize("shape", [[24, 24], [300, 201], [7, 900]])
def test_bytes_are_resized_as_numbers_are(shape):
    pixels = np.random.default_rng(0).integers(0, 256, [*shape, 3], np.uint8)
    numbers = tf.constant(pixels, tf.float32)
    expected = tf.image.resize(numbers, [SIDE, SIDE], "bilinear", antialias=True)
    found = resize(tf.constant(pixels), SIDE)
    assert found.dtype == tf.float32
    np.testing.assert_array_equal(found, expected)


def costliest_png(pixels: int) -> bytes:
    side = math.isqrt(pixels)
    return encoded(Image.new("RGB", (side, side)), "PNG", compress_level=1)


def costliest_jpeg(pixels: int) -> bytes:
    """A tenth of the pixels, the last scan so often that it costs as much as all."""
    side = math.isqrt(pixels // 10)
    whole = encoded(Image.new("RGB", (side, side)), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    cost_of_one = side * side / SCANS
    more = int((pixels - read_header(whole).cost) / cost_of_one)
    return whole[:-2] + whole[last:-2] * more + whole[-2:]


def seconds_per_pixel(content: bytes) -> float:
    """Of what the photo costs; the best of three."""
    times = []
    for _ in range(3):
        started = time.monotonic()
        _, errors = read_all([content])
        assert errors.numpy().tolist() == [b""]
        times.append(time.monotonic() - started)
    return min(times) / read_header(content).cost


@pytest.mark.slow
@pytest.mark.parametrize("make", [costliest_png, costliest_jpeg])
def test_the_costliest_photo_takes_little_more_than_its_cost(make):
    """6 times as long as an ordinary one of the same cost; at most 15."""
    most = ServingConfig().max_pixels
    content = make(most)
    assert 0.9 * most < read_header(content).cost <= most
    ordinary = encoded(drawing().resize((4000, 3000)), "JPEG")
    assert seconds_per_pixel(content) < 15 * seconds_per_pixel(ordinary)
