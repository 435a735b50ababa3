"""Reading Flickr30k's files."""

import pytest

from beam_jobs.elements import Caption
from beam_jobs.sources.flickr30k import Flickr30k
from beam_jobs.sources.lines import read_split
from records.errors import UserError

HEADER = b"image_name| comment_number| comment\n"


def read(path, content: bytes) -> list:
    """Captions and rejects, in order."""
    path.write_bytes(content)
    return list(Flickr30k.read(str(path)))


def test_the_csv_is_told_by_its_header(tmp_path):
    path = tmp_path / "results.csv"
    found = read(path, HEADER + b"1.jpg| 0| Two dogs .\n1.jpg| 1| One | two .\n")
    assert found == [
        Caption("1.jpg", 0, f"{path}:2", "Two dogs ."),
        Caption("1.jpg", 1, f"{path}:3", "One | two ."),
    ]


def test_a_byte_order_mark_before_the_header(tmp_path):
    content = b"\xef\xbb\xbf" + HEADER + b"1.jpg| 0| Two dogs .\n"
    assert len(read(tmp_path / "results.csv", content)) == 1


def test_the_token_file_has_no_header(tmp_path):
    path = tmp_path / "results_20130124.token"
    found = read(path, b"1.jpg#0\tTwo dogs .\n")
    assert found == [Caption("1.jpg", 0, f"{path}:1", "Two dogs .")]


def test_the_header_is_one_only_at_the_top(tmp_path):
    first, second = read(tmp_path / "a", b"1.jpg#0\tTwo dogs .\n" + HEADER)
    assert first.text == "Two dogs ."
    assert second.reason == "malformed_line"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (HEADER, "has a header and no caption"),
        (HEADER + b"1.jpg,0,A dog .\n", "no caption at the head of .*/a:2, mal"),
        (b"image;caption\n1.jpg;A dog .\n", "no caption at the head of .*/a:1, mal"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, content, message):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(UserError, match=message):
        Flickr30k.open([str(tmp_path / "a")], None)


def test_lists_name_photos_with_and_without_their_ending(tmp_path):
    (tmp_path / "train.txt").write_bytes(b"1.jpg\n2\n3.JPG\n4.png\n")
    found = list(read_split("train", str(tmp_path / "train.txt"), Flickr30k.suffix))
    assert [photo for photo, _ in found] == ["1.jpg", "2.jpg", "3.JPG", "4.png"]


LISTS = Flickr30k.list_names
NAMES = [
    *zip(*(names[:3] for names in LISTS.values())),
    *(("train.txt", dev, "test.txt") for dev in LISTS["dev"][3:]),
]


@pytest.mark.parametrize("names", NAMES)
def test_lists_under_any_of_their_names(tmp_path, names):
    for name in names:
        (tmp_path / name).write_text("1\n")
    found = Flickr30k.find_lists(str(tmp_path))
    assert list(found.values()) == [str(tmp_path / name) for name in names]


def test_the_names_of_the_dev_list():
    names = {"dev.txt", "val.txt", "valid.txt", "validation.txt"}
    assert names < set(LISTS["dev"])


def test_two_lists_of_one_split(tmp_path):
    for name in ("train.txt", "dev.txt", "val.txt", "test.txt"):
        (tmp_path / name).write_text("1\n")
    with pytest.raises(UserError, match=r"dev.txt and .*val.txt both list split 'dev'"):
        Flickr30k.find_lists(str(tmp_path))


def test_no_list(tmp_path):
    with pytest.raises(UserError, match=r"no file .* or train.txt in"):
        Flickr30k.find_lists(str(tmp_path))
