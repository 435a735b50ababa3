"""Pictures of where a model looked."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from records.html.images import Unreadable
from tfcap.inference.attention_plot import GAP, LABEL, attention_picture, light
from tfcap.inference.captioner import Captioned, Explained


def photo(width=80, height=60) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), (200, 180, 160)).save(file, "PNG")
    return file.getvalue()


def looked_at(*cells: tuple[int, int]) -> list:
    attention = np.full([len(cells), 4, 4], 0.01)
    for word, (row, column) in enumerate(cells):
        attention[word, row, column] = 0.85
    return attention.tolist()


def explained(words: str, attention: list | None) -> Explained:
    tokens = tuple(words.split())
    beams = (Captioned(words, -0.5),)
    return Explained(beams, tokens, (0.5,) * len(tokens), attention)


def test_the_photo_is_bright_where_the_model_looked():
    small = Image.open(io.BytesIO(photo())).convert("RGB")
    left, right = (light(small, cells) for cells in looked_at((0, 0), (3, 3)))
    for picture, bright, dark in ((left, (8, 6), (70, 50)), (right, (72, 54), (8, 6))):
        assert picture.getpixel(bright)[0] > 150
        assert picture.getpixel(dark)[0] < 80


def bright_places(picture: Image.Image) -> tuple[int, int, int, int]:
    """Returns left, top, right and bottom of what is as bright as the photo."""
    rows, columns = np.nonzero(np.asarray(picture)[..., 0] > 190)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


@pytest.mark.parametrize(
    ("size", "fit", "bright"),
    [
        ((80, 60), "squash", (0, 0, 80, 60)),
        ((80, 60), "crop", (10, 0, 70, 60)),
        ((60, 80), "crop", (0, 10, 60, 70)),
        ((61, 80), "crop", (0, 9, 61, 70)),
        ((80, 60), "pad", (0, 0, 80, 60)),
    ],
)
def test_cells_lie_over_what_the_encoder_took_of_the_photo(size, fit, bright):
    small = Image.open(io.BytesIO(photo(*size))).convert("RGB")
    assert bright_places(light(small, [[1.0] * 4] * 4, fit)) == bright


def test_cells_of_a_padded_photo_reach_beyond_it():
    small = Image.open(io.BytesIO(photo(80, 40))).convert("RGB")
    top_row, second_row = np.eye(4)[0], np.eye(4)[1]
    beyond, within = (
        light(small, np.tile(row[:, None], 4).tolist(), "pad")
        for row in (top_row, second_row)
    )
    assert beyond.getpixel((40, 8))[0] < 80, "that row is all padding"
    assert within.getpixel((40, 8))[0] > 150


def test_a_picture_shows_the_crop():
    attention = np.ones([1, 4, 4]).tolist()
    found = dataclasses.replace(explained("dog", attention), fit="crop")
    picture = Image.open(io.BytesIO(attention_picture(photo(), found)))
    left, middle = GAP + 80 + GAP, picture.height - GAP - 30
    assert picture.getpixel((left + 40, middle))[0] == 200
    assert picture.getpixel((left + 4, middle))[0] < 80


def test_a_tile_a_word_beside_the_photo():
    found = explained("a dog .", looked_at((0, 0), (1, 1), (2, 2)))
    picture = Image.open(io.BytesIO(attention_picture(photo(), found)))
    assert picture.width == GAP + 4 * (80 + GAP)
    assert picture.getpixel((GAP + 40, picture.height - GAP - 30)) == (200, 180, 160)
    assert attention_picture(photo(), found) == attention_picture(photo(), found)


def test_a_caption_without_attention_has_the_photo_alone():
    picture = attention_picture(photo(), explained("a dog .", None))
    assert Image.open(io.BytesIO(picture)).width == 2 * GAP + 80


def test_many_words_take_several_rows():
    words = "a b c d e f g h i j k ."
    found = explained(words, looked_at(*[(0, 0)] * 12))
    picture = Image.open(io.BytesIO(attention_picture(photo(), found)))
    assert picture.height > 3 * (60 + LABEL)


def test_what_is_no_photo():
    with pytest.raises(Unreadable):
        attention_picture(b"no photo", explained("a", looked_at((0, 0))))
