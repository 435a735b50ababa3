"""A picture of where a model looked in a photo for each word that it wrote.

    the photo   a      dog    runs      a tile a word: the word, its probability and
    on          grass  .                the photo, bright where the model looked

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
DARK = 0.15  # brightness where the model did not look at all
PAPER, INK, FAINT = (255, 255, 255), (20, 22, 26), (120, 124, 130)


def attention_picture(photo: bytes, found: Explained) -> bytes:
    """The picture as a PNG file.

    Args:
        photo: the file's bytes.
        found: its `attention` must not be None.

    Raises:
        records.html.images.Unreadable: the bytes are no photo.
    """
    small = thumbnail(photo, SIDE)
    tiles = [("", "", small)] + [
        (word, f"{probability:.2f}", lit)
        for word, probability, lit in zip(
            found.words, found.probabilities, lit_up(small, found.attention)
        )
    ]
    file = io.BytesIO()
    put_together(tiles, found.beams[0].caption).save(file, "PNG", optimize=True)
    return file.getvalue()


def lit_up(photo: Image.Image, attention: Sequence) -> list[Image.Image]:
    """The photo once a word, as bright as each place was looked at.

    Args:
        attention: [words][rows][columns]. Each word has a scale of its own: one for
            which the model looked nowhere in particular is bright throughout.
    """
    shares = np.asarray(attention, np.float32)
    most = np.maximum(shares.max((1, 2), keepdims=True), 1e-9)
    return [lit(photo, word) for word in shares / most]


def lit(photo: Image.Image, share: np.ndarray) -> Image.Image:
    """The photo with cells [rows, columns] of 0 to 1 as its light."""
    cells = Image.fromarray(np.uint8(np.round(255 * share)), "L")
    smooth = np.asarray(cells.resize(photo.size, Image.Resampling.BICUBIC), np.float32)
    light = DARK + (1 - DARK) * smooth[..., np.newaxis] / 255
    return Image.fromarray(np.uint8(np.asarray(photo) * light))


def put_together(tiles: Sequence[tuple[str, str, Image.Image]], title: str):
    """One picture of all (word, probability, photo), with a title above."""
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
    draw.multiline_text((GAP, GAP), "\n".join(lines), INK, font(TITLE), spacing=8)
    for i, (word, probability, photo) in enumerate(tiles):
        left = GAP + i % columns * (width + GAP)
        top = head + i // columns * (height + LABEL + GAP)
        draw.text((left, top), word, INK, font(TEXT))
        draw.text((left + width, top), probability, FAINT, font(TEXT), anchor="ra")
        picture.paste(photo, (left, top + LABEL))
    return picture


def font(size: int):
    return ImageFont.load_default(size)
