"""Small images as data URLs, for pages without other files."""

import base64
import io

import numpy as np

from records.errors import UserError
from records.photo_header import PhotoProblem, check_header

QUALITY = 80


class Unreadable(Exception):  # noqa: N818
    """An error for bytes that are no photo, or a photo too costly to decode."""


def thumbnail(photo: bytes, side: int):
    """Returns a photo, upright and at most `side` pixels wide and high.

    Returns:
        A Pillow image.

    Raises:
        Unreadable: the bytes are no photo, or decoding it would cost too much.
    """
    pillow, upright = load_pillow()
    try:
        kind = check_header(photo).kind
    except PhotoProblem as problem:
        raise Unreadable(problem.describe()) from None
    try:
        image = pillow.open(io.BytesIO(photo), formats=[kind.upper()])
        if image.mode.startswith("I"):  # 16 bits of grey, which Pillow cannot resize
            image = pillow.fromarray(eight_bits(upright(image)))
        image.thumbnail((side, side))
        return upright(image).convert("RGB")
    except Exception as error:  # a broken file makes Pillow raise many types
        raise Unreadable(str(error)) from None


def eight_bits(image) -> np.ndarray:
    return (np.asarray(image) >> 8).astype(np.uint8)


def photo_url(image) -> str:
    """Returns a Pillow image as the data URL of a JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY, optimize=True)
    return data_url(file.getvalue(), "image/jpeg")


def picture_url(pixels: np.ndarray) -> str:
    """Returns pixels, RGBA uint8 [height, width, 4], as the data URL of a PNG."""
    pillow, _ = load_pillow()
    file = io.BytesIO()
    pillow.fromarray(pixels, "RGBA").save(file, "PNG", optimize=True)
    return data_url(file.getvalue(), "image/png")


def data_url(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def load_pillow():
    """Returns Pillow's Image, and the function that turns a photo upright.

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
