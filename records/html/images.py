"""Small images as data URLs, for pages without other files."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from records.photo_header import PhotoProblem, check_header

QUALITY = 80


class Unreadable(Exception):  # noqa: N818
    """An error for bytes that are no photo, or a photo too costly to decode."""


@dataclass(frozen=True)
class EmbeddedPhoto:
    """A small photo as a page holds it.

    Attributes:
        url: a data URL.
        width: in pixels.
        height: in pixels.
        colour: its mean colour in CSS, a quiet frame where it does not fill its place.
    """

    url: str
    width: int
    height: int
    colour: str


def embed_photo(photo: bytes, side: int) -> EmbeddedPhoto | None:
    """Returns a photo at most `side` pixels wide and high; None if it is unreadable."""
    try:
        small = thumbnail(photo, side)
    except Unreadable:
        return None
    mean = small.resize((1, 1), Image.Resampling.BOX).tobytes()
    colour = f"rgb({' '.join(map(str, mean))})"
    return EmbeddedPhoto(photo_url(small), *small.size, colour)


def thumbnail(photo: bytes, side: int) -> Image.Image:
    """Returns a photo, upright and at most `side` pixels wide and high.

    Raises:
        Unreadable: the bytes are no photo, or decoding it would cost too much.
    """
    try:
        kind = check_header(photo).kind
    except PhotoProblem as problem:
        raise Unreadable(problem.describe()) from None
    try:
        image: Image.Image = Image.open(io.BytesIO(photo), formats=[kind.upper()])
        if image.mode.startswith("I"):  # 16 bits of grey, which Pillow cannot resize
            image = Image.fromarray(eight_bits(ImageOps.exif_transpose(image)))
        image.thumbnail((side, side))
        return ImageOps.exif_transpose(image).convert("RGB")
    except Exception as error:  # a broken file makes Pillow raise many types
        raise Unreadable(str(error)) from None


def eight_bits(image: Image.Image) -> np.ndarray:
    return (np.asarray(image) >> 8).astype(np.uint8)


def photo_url(image: Image.Image) -> str:
    """Returns an image as the data URL of a JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY, optimize=True)
    return data_url(file.getvalue(), "image/jpeg")


def picture_url(pixels: np.ndarray) -> str:
    """Returns pixels, RGBA uint8 [height, width, 4], as the data URL of a PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(file, "PNG", optimize=True)
    return data_url(file.getvalue(), "image/png")


def data_url(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
