"""Reading Flickr8k's files."""

import gzip

import pytest

from beam_jobs.elements import Caption, SplitAssignment
from beam_jobs.sources import lines
from beam_jobs.sources.flickr8k import SPLIT_FILES, Flickr8k
from beam_jobs.sources.line_source import parse_token_line
from beam_jobs.sources.lines import read_lines, read_split
from records.errors import UserError
from records.format.rejects import Reject


def test_a_caption_line():
    caption = parse_token_line("1.jpg#3\tEin Hund läuft . ".encode(), "f:1")
    assert caption == Caption("1.jpg", 3, "f:1", "Ein Hund läuft .")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"1.jpg#0", "malformed_line"),
        (b"1.jpg#0 no tab", "malformed_line"),
        (b"1.jpg\tno number", "malformed_line"),
        (b"1.jpg#x\tno number", "malformed_line"),
        (b"1.jpg#" + b"9" * 5000 + b"\ttoo many digits", "malformed_line"),
        (b"#0\tno photo", "malformed_line"),
        (b"1.jpg#0\t   ", "malformed_line"),
        (b"1.jpg#0\tcaf\xe9", "not_utf8"),
    ],
)
def test_a_line_that_is_no_caption(line, reason):
    reject = parse_token_line(line, "f:7")
    assert isinstance(reject, Reject)
    assert (reject.what, reject.where, reject.reason, reject.captions) == (
        ("caption", "f:7", reason, 1)
    )


def test_blank_lines_count_but_are_not_read(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_bytes(b"a\r\n\n  \nb")
    assert list(read_lines(str(path))) == [(1, b"a"), (4, b"b")]


@pytest.fixture
def short_lines(monkeypatch):
    monkeypatch.setattr(lines, "LONGEST", 20)


def test_a_line_that_is_too_long_is_one_reject(tmp_path, short_lines):
    path = tmp_path / "captions.txt"
    content = ["1.jpg#0\t" + "a" * 12, "1.jpg#1\t" + "b" * 13, " " * 99, "1.jpg#2\tcd"]
    path.write_text("\n".join([*content, "x" * 1000]))
    first, second, third, fourth, fifth = Flickr8k.read(str(path))
    assert (first.text, first.where) == ("a" * 12, f"{path}:1")
    assert (fourth.text, fourth.where) == ("cd", f"{path}:4")
    for reject, number in ((second, 2), (third, 3), (fifth, 5)):
        assert reject[:3] == ("caption", f"{path}:{number}", "line_too_long")
        assert "at most 20 bytes" in reject.detail


def test_a_line_of_a_list_that_is_too_long(tmp_path, short_lines):
    path = tmp_path / "list.txt"
    path.write_text("1.jpg\n" + "x" * 30)
    with pytest.raises(UserError, match=rf"{path}:2: expected at most 20 bytes a line"):
        list(read_split("dev", str(path)))


def test_captions_and_rejects_in_order(tmp_path):
    path = tmp_path / "captions.txt"
    path.write_bytes(b"1.jpg#0\tA dog .\nnonsense\n\n1.jpg#1\tA cat .\n")
    first, reject, second = Flickr8k.read(str(path))
    assert first == Caption("1.jpg", 0, f"{path}:1", "A dog .")
    assert second == Caption("1.jpg", 1, f"{path}:4", "A cat .")
    assert (reject.where, reject.reason) == (f"{path}:2", "malformed_line")


def test_a_compressed_caption_file(tmp_path):
    path = tmp_path / "captions.txt.gz"
    path.write_bytes(gzip.compress(b"1.jpg#0\tA dog .\n"))
    Flickr8k.open([str(path)], None)
    assert [caption.text for caption in Flickr8k.read(str(path))] == ["A dog ."]


def test_a_split_list(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"1.jpg\r\n 2.jpg \n\n")
    read = list(read_split("dev", str(path)))
    assert read == [SplitAssignment("1.jpg", "dev"), SplitAssignment("2.jpg", "dev")]


def test_a_split_list_that_is_not_utf8(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(b"1.jpg\ncaf\xe9.jpg\n")
    with pytest.raises(UserError, match=rf"{path}:2: 'utf-8' codec .*in UTF-8"):
        list(read_split("train", str(path)))


def test_the_three_lists_are_found(data):
    found = Flickr8k.find_lists(str(data.splits))
    assert found == {s: str(data.splits / name) for s, name in SPLIT_FILES.items()}


def test_a_list_that_is_missing(data):
    (data.splits / SPLIT_FILES["dev"]).unlink()
    with pytest.raises(UserError, match=r"no file Flickr_8k\.devImages\.txt in"):
        Flickr8k.find_lists(str(data.splits))


def test_a_list_that_is_empty(data):
    data.write_split("test", ["", " "])
    with pytest.raises(UserError, match=r"testImages.txt names no photo.*'test'"):
        Flickr8k.find_lists(str(data.splits))


def test_a_list_that_is_a_directory(data):
    (data.splits / SPLIT_FILES["dev"]).unlink()
    (data.splits / SPLIT_FILES["dev"]).mkdir()
    with pytest.raises(UserError, match=r"--splits: cannot read .*devImages"):
        Flickr8k.find_lists(str(data.splits))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("captions.txt", None, "--captions: no file"),
        ("captions.txt", b"", "is empty"),
        ("captions.txt", b"\n \n", "is empty"),
        (
            "captions.txt",
            b"photo;caption\n1.jpg;A dog .\n",
            r'no caption at the head of .*--source jsonl, .* \{"photo": "a.jpg"',
        ),
        ("captions.txt", b"image,caption\n", "has a header and no caption"),
        ("captions.txt", b"1.jpg#0\tcaf\xe9", r"not_utf8: .*iconv -f LATIN1 -t UTF-8 "),
        ("captions.txt", b"\xff\xfe1\0.\0", r"is UTF-16; .* iconv -f UTF-16"),
        ("captions.txt.gz", b"no archive", "--captions: cannot read"),
    ],
)
def test_a_caption_file_that_is_refused(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        Flickr8k.open([str(tmp_path / name)], None)


def test_a_caption_file_that_is_a_directory(tmp_path):
    with pytest.raises(UserError, match="--captions: cannot read"):
        Flickr8k.open([str(tmp_path)], None)


def test_one_bad_line_does_not_condemn_the_caption_file(tmp_path):
    (tmp_path / "captions.txt").write_bytes(b"title\n1.jpg#0\tA dog .\n")
    Flickr8k.open([str(tmp_path / "captions.txt")], None)


KAGGLES = b"""\xef\xbb\xbfimage,caption\r
1.jpg,A dog .\r
1.jpg,"A dog , it ""runs"" ."\r
caf\xc3\xa9.jpg,  A cat . \r
2.jpg,A dog , it runs .
2.jpg,"A dog
3.jpg,
,A dog .
caf\xe9.jpg,A cat .
"""


def test_kaggles_captions_are_told_by_their_header(tmp_path):
    path = tmp_path / "captions.txt"
    path.write_bytes(KAGGLES)
    read = list(Flickr8k.read(str(path)))
    assert read[:3] == [
        Caption("1.jpg", 2, f"{path}:2", "A dog ."),
        Caption("1.jpg", 3, f"{path}:3", 'A dog , it "runs" .'),
        Caption("café.jpg", 4, f"{path}:4", "A cat ."),
    ]
    rejects = [(reject.where, reject.reason) for reject in read[3:]]
    assert rejects == [
        *((f"{path}:{line}", "malformed_line") for line in (5, 6, 7, 8)),
        (f"{path}:9", "not_utf8"),
    ]


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"\xef\xbb\xbf1.jpg#0\tA dog .\n")
    (caption,) = Flickr8k.read(str(path))
    assert caption.photo_id == "1.jpg"
    path.write_bytes(b"\xef\xbb\xbf1.jpg\n2.jpg\n")
    assert next(read_split("dev", str(path))) == SplitAssignment("1.jpg", "dev")


def test_names_have_one_spelling(tmp_path):
    path = tmp_path / "file"
    path.write_text(" cafe\u0301.jpg \n./x//1.jpg\n", "utf-8")
    read = [item.photo_id for item in read_split("dev", str(path))]
    assert read == ["caf\u00e9.jpg", "x/1.jpg"]
