"""Looking at a photo's header before anything decodes it."""

import io
import warnings

from PIL import Image

from tfcap.captioning import count_pixels

# Pillow's own limit: beyond it a file is taken for a decompression bomb.
MAX_PIXELS = 89_478_485
READABLE = {"JPEG": "JPEG", "MPO": "JPEG", "PNG": "PNG", "GIF": "GIF"}

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
    """Returns a photo's format by its bytes, whatever its name: JPEG, PNG or GIF.

    Raises:
        PhotoProblem: anything else, a GIF of several frames, or more than `MAX_PIXELS`
            pixels.
    """
    if not photo:
        raise PhotoProblem("empty_file", "0 bytes")
    try:
        with Image.open(io.BytesIO(photo)) as image:
            kind, (width, height) = image.format, image.size
            frames = 2 if kind == "GIF" and image.is_animated else 1
    except Image.DecompressionBombError as error:
        raise PhotoProblem("too_many_pixels", str(error)) from None
    except Exception:
        # Pillow's readers raise whatever a hostile header makes them raise.
        raise PhotoProblem("not_an_image", f"begins with {photo[:8]!r}") from None
    if kind not in READABLE:
        raise PhotoProblem("unsupported_format", f"{kind}; expected JPEG, PNG or GIF")
    if frames > 1:
        raise PhotoProblem("unsupported_format", "GIF of several frames; expected one")
    # A frame of a GIF may be larger than its screen.
    pixels = count_pixels(photo) if kind == "GIF" else width * height
    if pixels is None or pixels > MAX_PIXELS:
        raise PhotoProblem("too_many_pixels", f"{width} x {height} pixels")
    return READABLE[kind]
