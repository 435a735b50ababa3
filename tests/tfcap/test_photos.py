"""Headers of photos, before anything decodes them."""

import io
import struct
import warnings
import zlib

import pytest
from PIL import Image

from tfcap import photos
from tfcap.photos import PhotoProblem, check_header


def photo(kind="JPEG", mode="RGB", size=(6, 4), **options) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, kind, **options)
    return file.getvalue()


def with_size(width: int, height: int) -> bytes:
    """A PNG whose header announces a size that the rest does not have."""
    png = bytearray(photo("PNG"))
    png[16:24] = struct.pack(">II", width, height)
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    return bytes(png)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (photo(), "JPEG"),
        (photo(mode="L"), "JPEG"),
        (photo(mode="CMYK"), "JPEG"),
        (photo(progressive=True), "JPEG"),
        (photo("MPO", save_all=True, append_images=[Image.new("RGB", (6, 4))]), "JPEG"),
        (photo("PNG", mode="RGBA"), "PNG"),
        (photo("GIF"), "GIF"),
        (photo("GIF", save_all=True, append_images=[Image.new("RGB", (6, 4))]), "GIF"),
        (photo("BMP"), "BMP"),
    ],
)
def test_formats_are_told_by_their_bytes(content, kind):
    assert check_header(content) == kind


@pytest.fixture(autouse=True)
def no_warning_of_large_photos():
    """As in production: tfcap.photos silences it, pytest brings it back."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


@pytest.mark.parametrize(
    ("content", "reason", "detail"),
    [
        (b"", "empty_file", "0 bytes"),
        (b"this is text", "not_an_image", "b'this is '"),
        (photo()[:10], "not_an_image", "begins with"),
        (photo("WEBP"), "unsupported_format", "WEBP; expected JPEG, PNG, GIF or BMP"),
        (photo("TIFF"), "unsupported_format", "TIFF"),
        (with_size(60_000, 60_000), "too_many_pixels", "3600000000 pixels"),
        (with_size(10_000, 10_000), "too_many_pixels", "10000 x 10000 pixels"),
    ],
)
def test_what_is_not_to_be_decoded(content, reason, detail):
    with pytest.raises(PhotoProblem, match=detail) as error:
        check_header(content)
    assert error.value.reason == reason


def test_the_limit_itself_is_allowed(monkeypatch):
    monkeypatch.setattr(photos, "MAX_PIXELS", 24)
    assert check_header(photo()) == "JPEG"
    monkeypatch.setattr(photos, "MAX_PIXELS", 23)
    with pytest.raises(PhotoProblem):
        check_header(photo())


def test_a_gif_frame_larger_than_its_screen_counts():
    gif = bytearray(photo("GIF"))
    start = gif.index(b",", 13 + 3 * 2)
    gif[start + 5 : start + 9] = struct.pack("<HH", 65_535, 65_535)
    with pytest.raises(PhotoProblem) as error:
        check_header(bytes(gif))
    assert error.value.reason == "too_many_pixels"
