"""Photos as strangers have them, through every door: a result or a reason for each.

None ends in a traceback, and none loses the photo beside it.
"""

import io
import os
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from beam_jobs.io.photo_files import read_photos
from records.html.images import Unreadable, thumbnail
from records.photo_header import PhotoProblem
from tfcap.cli.caption import caption_files
from tfcap.encoders.encoder import Encoder, unreadable
from tfcap.images.decoding import read_photo, read_what_can_be
from tfcap.inference.captioner import Captioner, caption_within

SIDE = 8
GREY = np.linspace(0, 255, 12 * 16).reshape(12, 16).astype(np.uint8)
RGB = Image.fromarray(np.stack([GREY, GREY[::-1], GREY[:, ::-1]], -1))


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(width: int, height: int, depth: int, interlaced: int, rows: bytes) -> bytes:
    """A PNG of grey pixels, as Pillow writes none."""
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, interlaced),
        b"IDAT": zlib.compress(rows),
        b"IEND": b"",
    }
    framed = b"".join(
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks.items()
    )
    return b"\x89PNG\r\n\x1a\n" + framed


def palette_with_transparency() -> bytes:
    return encoded(RGB.quantize(8), "PNG", transparency=2)


JPEG = encoded(RGB, "JPEG")
GOOD = {
    "jpeg": JPEG,
    "progressive": encoded(RGB, "JPEG", progressive=True),
    "cmyk": encoded(RGB.convert("CMYK"), "JPEG"),
    "grey": encoded(RGB.convert("L"), "JPEG"),
    "film behind": JPEG + b"\0\0\0\x18ftypmp42" + bytes(4000),
    "png as jpg": encoded(RGB, "PNG"),
    "16 bits": encoded(Image.fromarray(GREY.astype(np.uint16) * 257), "PNG"),
    "1 bit": encoded(RGB.convert("1"), "PNG"),
    "interlaced": png(1, 1, 8, 1, b"\0\x80"),
    "palette": palette_with_transparency(),
    "transparent": encoded(RGB.convert("RGBA"), "PNG"),
    "1 pixel jpeg": encoded(RGB.resize((1, 1)), "JPEG"),
    "1 pixel png": encoded(RGB.resize((1, 1)), "PNG"),
    "1 pixel gif": encoded(RGB.resize((1, 1)), "GIF"),
    "1 pixel webp": encoded(RGB.resize((1, 1)), "WEBP"),
    "1 pixel bmp": encoded(RGB.resize((1, 1)), "BMP"),
    "wide": encoded(RGB.resize((3000, 1)), "PNG"),
    "animated gif": encoded(RGB, "GIF", save_all=True, append_images=[RGB.rotate(9)]),
}
BAD = {
    "empty": b"",
    "one byte": b"\xff",
    "text": b"this is no photo",
    "no width": png(0, 4, 8, 0, b"\0" * 4),
    "no height": png(4, 0, 8, 0, b""),
    "huge": png(60_000, 60_000, 8, 0, b"\0"),
    "no rows": png(4, 4, 8, 0, b""),
    "tiff": encoded(RGB, "TIFF"),
    "jpeg cut": JPEG[: len(JPEG) // 2],
    "jpeg header": JPEG[:20],
    "png cut": encoded(RGB, "PNG")[:60],
    "gif cut": encoded(RGB, "GIF")[:20],
    "webp cut": encoded(RGB, "WEBP")[:40],
    "bmp cut": encoded(RGB, "BMP")[:80],
    "animated webp": encoded(RGB, "WEBP", save_all=True, append_images=[RGB.rotate(9)]),
}
PHOTOS = {**GOOD, **BAD}


class Colours(tf.Module):
    """Captions a photo with its mean colour, as an export reads it."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
    def caption(self, image_bytes):
        pixels, error = read_what_can_be(image_bytes, SIDE)
        colours = tf.strings.as_string(tf.reduce_mean(pixels, [1, 2]))
        words = tf.strings.reduce_join(colours, 1, separator=" ")
        score = tf.zeros_like(pixels[:, 0, 0, 0])
        caption = tf.where(error == "", words, "")
        return {"caption": caption, "score": score, "error": error}


@pytest.fixture(scope="module")
def captioner() -> Captioner:
    module = Colours()
    module.signatures = {"serving_default": module.caption.get_concrete_function()}
    return Captioner.from_model(module)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def graph(photos):
        shape = tf.TensorSpec([SIDE, SIDE, 3], tf.float32)
        pixels = tf.map_fn(
            lambda one: read_photo(one, SIDE), photos, fn_output_signature=shape
        )
        return tf.reduce_mean(pixels, [1, 2])

    return Encoder(graph, graph, SIDE, (3,), None)


@pytest.fixture
def folder(tmp_path):
    """All of them in one folder, by names that say nothing of their format."""
    paths = {}
    for name, content in PHOTOS.items():
        paths[name] = str(tmp_path / f"{name}.jpg")
        with open(paths[name], "wb") as file:
            file.write(content)
    return paths


def test_the_command_captions_all_that_are_photos(captioner, folder):
    rows = list(caption_files(captioner, list(folder.values()), 1, {}))
    assert [row["photo"] for row in rows] == list(folder.values())
    for name, row in zip(folder, rows, strict=True):
        assert bool(row["caption"]) == (name in GOOD), (name, row)
        assert bool(row["error"]) == (name in BAD), (name, row)


@pytest.mark.parametrize("name", PHOTOS)
def test_a_captioned_batch_loses_no_other_photo(captioner, name):
    alone, _ = caption_within(captioner, [JPEG, JPEG])
    first, found, last = caption_within(captioner, [JPEG, PHOTOS[name], JPEG])
    assert first == last == alone
    assert bool(found.error) == (name in BAD)


@pytest.mark.parametrize("name", PHOTOS)
def test_an_encoded_batch_loses_no_other_photo(encoder, name):
    alone, _ = encoder.encode([JPEG])
    features, bad = encoder.encode([JPEG, PHOTOS[name], JPEG])
    assert [i for i, _ in bad] == ([1] if name in BAD else [])
    assert all(reason and "\n" not in reason for _, reason in bad)
    np.testing.assert_array_equal(features[[0, -1]], alone[[0, 0]])
    assert np.isfinite(features).all()


def test_the_beam_job_reads_or_rejects(folder):
    for name, found in zip(folder, read_photos(list(folder.values())), strict=True):
        if isinstance(found, PhotoProblem):
            assert name in BAD and found.reason and str(found)
        else:  # only decoding finds this fault: the encoder reports it
            assert found[0] == PHOTOS[name]
            assert bool(unreadable(found[0], SIDE)) == (name in BAD), name


@pytest.mark.parametrize("name", PHOTOS)
def test_a_thumbnail_or_a_reason(name):
    try:
        small = thumbnail(PHOTOS[name], 4)
    except Unreadable as error:
        assert name in BAD and str(error)
    else:
        assert small.mode == "RGB" and max(small.size) <= 4
        assert os.path.basename(name) not in {"empty", "text", "huge", "tiff"}
