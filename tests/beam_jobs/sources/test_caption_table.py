"""Reading caption files that name their columns."""

import pytest

from beam_jobs.elements import Caption
from beam_jobs.sources.caption_table import CaptionTable

KAGGLES = b"image_name| comment_number| comment"


@pytest.mark.parametrize(
    ("header", "line", "number", "text"),
    [
        (KAGGLES, b"1.jpg| 3| Two dogs | one cat .", 3, "Two dogs | one cat ."),
        (KAGGLES.upper(), b'1.jpg|3|"Two" dogs', 3, '"Two" dogs'),
        (b" image_name|comment_number|comment ", b" 1.jpg |3|Two", 3, "Two"),
        (b"image_name,comment_number,comment", b'1.jpg,3," A , b"', 3, "A , b"),
        (b"image_name, comment_number, comment", b"1.jpg, 3, Two dogs", 3, "Two dogs"),
        (b"image|caption", b"1.jpg|Two, dogs", 7, "Two, dogs"),
        (b"image,caption", b'1.jpg,"A dog , it ""runs"""', 7, 'A dog , it "runs"'),
        (b'"image","caption"', b'"1.jpg","Two dogs"', 7, "Two dogs"),
        (b"Image,Caption", b"1.jpg,Two dogs", 7, "Two dogs"),
        (b",image,caption", b"41,1.jpg,Two dogs", 7, "Two dogs"),
        (b"caption,file_name", b"Two dogs,1.jpg", 7, "Two dogs"),
        (b"filename,text,caption_number", b"1.jpg,Two dogs,3", 3, "Two dogs"),
    ],
)
def test_columns_are_known_by_their_names(header, line, number, text):
    caption = CaptionTable.from_header(header).parse(line, "f:7")
    assert caption == Caption("1.jpg", number, "f:7", text)


@pytest.mark.parametrize(
    "line",
    [
        b"1.jpg#0\tA dog , a cat | a horse",
        b"image;caption",
        b"image\tcaption",
        b"image,caption,split",  # it would be lost
        b"image,caption,text",
        b"image,photo,caption",
        b"image,caption_number",
        b'image,"caption',
        b"image,caption\xff",
        b"",
    ],
)
def test_other_lines_are_no_header(line):
    assert CaptionTable.from_header(line) is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"2199200615.jpg| 4   A dog runs across the grass .", "malformed_line"),
        (b"1.jpg| x| A dog .", "malformed_line"),
        (b"1.jpg| -1| A dog .", "malformed_line"),
        (b"1.jpg|" + b"9" * 5000 + b"| A dog .", "malformed_line"),
        (b" | 0| A dog .", "malformed_line"),
        (b"1.jpg| 0|  ", "malformed_line"),
        (b"1.jpg#0\tA dog .", "malformed_line"),
        (b"1.jpg| 0| caf\xe9", "not_utf8"),
    ],
)
def test_a_line_that_is_no_caption(line, reason):
    reject = CaptionTable.from_header(KAGGLES).parse(line, "f:7")
    assert (reject.what, reject.where, reject.reason, reject.captions) == (
        ("caption", "f:7", reason, 1)
    )


def test_a_reject_says_what_was_expected():
    reject = CaptionTable.from_header(b"image,caption").parse(b"1.jpg", "f:7")
    assert reject.detail == "expected image,caption; received '1.jpg'"
