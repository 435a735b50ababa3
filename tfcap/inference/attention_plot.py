"""Draws a picture of the model's attention in a photo, for each word of its caption.

    the photo   a      dog    runs      a tile a word: the word, its probability and
    on          grass  .                the photo, bright where the attention is

After figure 5 of Xu et al., "Show, Attend and Tell", 2015.
"""

import io
import math
import textwrap
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from records.html.images import thumbnail
from tfcap.inference.captioner import Explained

SIDE, GAP, LABEL = 224, 12, 26  # pixels: of a photo, between tiles, above them
MOST_COLUMNS = 6
TITLE, TEXT = 18, 16  # heights of letters
DARK = 0.15  # brightness where the attention is 0
PAPER, INK, FAINT = (255, 255, 255), (20, 22, 26), (120, 124, 130)


def attention_picture(photo: bytes, explained: Explained) -> bytes:
    """Returns the picture as a PNG file.

    Args:
        photo: the file's bytes.
        explained: its caption; without attention the picture shows the photo alone.

    Raises:
        records.html.images.Unreadable: the bytes are no photo.
    """
    small = thumbnail(photo, SIDE)
    chances = [f"{probability:.2f}" for probability in explained.probabilities]
    lit = [light(small, cells, explained.fit) for cells in explained.attention or ()]
    tiles = [("", "", small), *zip(explained.words, chances, lit)]
    file = io.BytesIO()
    put_together(tiles, explained.beams[0].caption).save(file, "PNG", optimize=True)
    return file.getvalue()


def light(
    photo: Image.Image, attention: Sequence[Sequence[float]], fit: str = "squash"
) -> Image.Image:
    """Returns the photo, as bright at each place as a word's attention there.

    Args:
        photo: RGB.
        attention: [rows][columns]. Its maximum is full brightness, so that a photo with
            equal attention everywhere stays as it is.
        fit: how the encoder made the photo a square. Places outside a crop are dark.
    """
    weights = np.asarray(attention, np.float32)
    levels = np.round(255 * weights / max(weights.max(), 1e-9)).astype(np.uint8)
    left, top, size = covered(photo.size, fit)
    smooth = Image.fromarray(levels, "L").resize(size, Image.Resampling.BICUBIC)
    whole = Image.new("L", photo.size)
    whole.paste(smooth, (left, top))
    brightness = DARK + (1 - DARK) * np.asarray(whole, np.float32)[..., None] / 255
    return Image.fromarray((np.asarray(photo) * brightness).astype(np.uint8))


def covered(size: tuple[int, int], fit: str) -> tuple[int, int, tuple[int, int]]:
    """Returns left, top and size of the part of a photo that an encoder's cells cover.

    It is larger than the photo where the encoder pads it.

    >>> covered((80, 60), "crop"), covered((80, 60), "pad")
    ((10, 0, (60, 60)), (0, -10, (80, 80)))
    """
    if fit == "squash":
        return 0, 0, size
    side = min(size) if fit == "crop" else max(size)
    left, top = ((length - side) // 2 for length in size)
    return left, top, (side, side)


def put_together(
    tiles: Sequence[tuple[str, str, Image.Image]], title: str
) -> Image.Image:
    """Returns one picture of all (word, probability, photo), with a title above."""
    width, height = tiles[0][2].size
    columns = min(MOST_COLUMNS, len(tiles))
    lines = textwrap.wrap(title, max(20, columns * (width + GAP) // (TITLE // 2)))
    head = GAP + (TITLE + 8) * max(1, len(lines))
    size = (
        GAP + columns * (width + GAP),
        head + math.ceil(len(tiles) / columns) * (height + LABEL + GAP),
    )
    picture = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(picture)
    title_font, font = map(ImageFont.load_default, (TITLE, TEXT))
    draw.multiline_text((GAP, GAP), "\n".join(lines), INK, title_font, spacing=8)
    for i, (word, probability, photo) in enumerate(tiles):
        left = GAP + i % columns * (width + GAP)
        top = head + i // columns * (height + LABEL + GAP)
        draw.text((left, top), word, INK, font)
        draw.text((left + width, top), probability, FAINT, font, anchor="ra")
        picture.paste(photo, (left, top + LABEL))
    return picture
