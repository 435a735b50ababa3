"""Looking at a photo's header before anything decodes it."""

import io
import math
import struct
import warnings

from PIL import Image

# Pillow's own limit: beyond it a file is taken for a decompression bomb.
MAX_PIXELS = 89_478_485
FORMATS = ("JPEG", "PNG", "GIF", "BMP")
READABLE = {"MPO": "JPEG", **{kind: kind for kind in FORMATS}}

warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


class PhotoProblem(Exception):  # noqa: N818
    """A photo that is not to be decoded.

    Attributes:
        reason: one word for counting: `empty_file`, `not_an_image`,
            `unsupported_format` or `too_many_pixels`.
    """

    def __init__(self, reason: str, detail: str):
        super().__init__(detail)
        self.reason = reason


def check_header(photo: bytes) -> str:
    """Returns a photo's format by its bytes, whatever its name: JPEG, PNG, GIF or BMP.

    Raises:
        PhotoProblem: anything else, or more than `MAX_PIXELS` pixels.
    """
    if not photo:
        raise PhotoProblem("empty_file", "0 bytes")
    try:
        with Image.open(io.BytesIO(photo)) as image:
            kind, (width, height) = image.format, image.size
    except Image.DecompressionBombError as error:
        raise PhotoProblem("too_many_pixels", str(error)) from None
    except Exception:
        # Pillow's readers raise whatever a hostile header makes them raise.
        raise PhotoProblem("not_an_image", f"begins with {photo[:8]!r}") from None
    if kind not in READABLE:
        raise PhotoProblem(
            "unsupported_format", f"{kind}; expected JPEG, PNG, GIF or BMP"
        )
    # A frame of a GIF may be larger than its screen.
    pixels = count_pixels(photo) if kind == "GIF" else width * height
    if pixels is None or pixels > MAX_PIXELS:
        raise PhotoProblem("too_many_pixels", f"{width} x {height} pixels")
    return READABLE[kind]


def count_pixels(photo: bytes) -> float | None:
    """Pixels a decoder would have to hold, read from the header; nothing is decoded.

    Returns:
        The count, infinity beyond what Pillow opens, or None: not a JPEG, PNG, GIF or
        BMP.
    """
    try:
        with Image.open(io.BytesIO(photo), formats=list(FORMATS)) as image:
            if image.format == "GIF":
                return _gif_pixels(photo)
            return image.width * image.height
    except Image.DecompressionBombError:
        return math.inf
    except Exception:  # whatever a hostile header makes Pillow's parsers raise
        return None


def _gif_pixels(photo: bytes) -> int:
    """Pixels of the screen or of all frames together, whichever is more.

    TensorFlow unpacks every frame to use the first, and a frame may exceed the screen.
    """
    width, height, flags = struct.unpack_from("<HHB", photo, 6)
    screen, frames, at = width * height, 0, 13 + _colour_table(flags)
    while at < len(photo) and photo[at] in b"!,":  # an extension or a frame
        if photo[at] == ord(","):
            width, height, flags = struct.unpack_from("<HHB", photo, at + 5)
            frames += width * height
            at += 11 + _colour_table(flags)
        else:
            at += 2
        while at < len(photo) and photo[at]:  # blocks of data, an empty one ends them
            at += photo[at] + 1
        at += 1
    return max(screen, frames)


def _colour_table(flags: int) -> int:
    return 3 << (flags % 8 + 1) if flags & 0x80 else 0
