"""Small pictures as data URLs, for pages that need nothing outside themselves."""

import base64
import io

import numpy as np

from records.errors import UserError

QUALITY = 80


class Unreadable(Exception):  # noqa: N818
    """Bytes that are no photo that Pillow can open."""


def thumbnail(photo: bytes, side: int):
    """A photo, upright and no larger than `side` pixels squared, as a Pillow image.

    Raises:
        Unreadable: the bytes are no photo.
    """
    pillow, upright = load_pillow()
    try:
        image = pillow.open(io.BytesIO(photo))
        image.thumbnail((side, side))
        return upright(image).convert("RGB")
    except Exception as error:  # whatever a broken file makes Pillow's readers raise
        raise Unreadable(str(error)) from None


def photo_url(image) -> str:
    """A Pillow image as a JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY, optimize=True)
    return data_url(file.getvalue(), "image/jpeg")


def picture_url(pixels: np.ndarray) -> str:
    """uint8 [height, width, 4] as a PNG, red, green, blue and opacity."""
    pillow, _ = load_pillow()
    file = io.BytesIO()
    pillow.fromarray(pixels, "RGBA").save(file, "PNG", optimize=True)
    return data_url(file.getvalue(), "image/png")


def data_url(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def load_pillow():
    """Pillow's Image, and the function that turns a photo upright.

    Raises:
        UserError: Pillow is not installed.
    """
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise UserError(
            "a page with photos needs Pillow; install it: pip install pillow"
        ) from None
    return Image, ImageOps.exif_transpose
