import base64
import io

import numpy as np
import pytest
from PIL import Image

from records.html.images import Unreadable, embed_photo, photo_url, thumbnail


def photo(size=(600, 300), mode="RGB", kind="PNG", **how) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, kind, **how)
    return file.getvalue()


@pytest.mark.parametrize(
    ("size", "expected"), [((600, 300), (200, 100)), ((30, 20), (30, 20))]
)
def test_thumbnails_are_small(size, expected):
    assert thumbnail(photo(size), 200).size == expected


def test_a_photo_is_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees
    assert thumbnail(photo(kind="JPEG", exif=exif), 200).size == (100, 200)


def test_a_grey_photo_of_16_bits():
    exif = Image.Exif()
    exif[0x0112] = 6
    grey = Image.fromarray(np.full((300, 600), 0x80FF, np.uint16))
    file = io.BytesIO()
    grey.save(file, "PNG", exif=exif)
    small = thumbnail(file.getvalue(), 200)
    assert (small.size, small.getpixel((50, 50))) == ((100, 200), (128, 128, 128))


def test_the_url_is_a_jpeg():
    url = photo_url(thumbnail(photo(mode="RGBA"), 20))
    content = base64.b64decode(url.removeprefix("data:image/jpeg;base64,"))
    assert Image.open(io.BytesIO(content)).format == "JPEG"


@pytest.mark.parametrize("content", [b"", b"no photo", photo()[:60]])
def test_what_is_no_photo(content):
    with pytest.raises(Unreadable):
        thumbnail(content, 20)


def test_a_photo_that_is_refused_is_not_opened(monkeypatch):
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("opened"))
    with pytest.raises(Unreadable, match=r"^unsupported format: TIFF; expected"):
        thumbnail(photo(kind="TIFF"), 20)
    png = bytearray(photo())
    png[16:24] = (60_000).to_bytes(4) * 2
    with pytest.raises(Unreadable, match=r"^too many pixels: 60000 x 60000 pixels"):
        thumbnail(bytes(png), 20)


def test_an_embedded_photo_has_its_size_and_mean_colour():
    file = io.BytesIO()
    Image.new("RGB", (600, 300), (10, 20, 30)).save(file, "PNG")
    small = embed_photo(file.getvalue(), 200)
    assert (small.width, small.height, small.colour) == (200, 100, "rgb(10 20 30)")
    assert small.url.startswith("data:image/jpeg;base64,")
    assert embed_photo(b"", 200) is None
