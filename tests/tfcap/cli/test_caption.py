"""The command `tfcap caption`: captions, pictures, and photos that it refuses."""

import json
import os
import struct
from pathlib import Path

import pytest

from tfcap.cli import main
from tfcap.inference.captioner import Captioned, Captioner, Explained

# Headers of photos of one pixel, which is all that is read here.
GOOD = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0)
BAD = GOOD + b";bad"
LARGE = b"GIF89a" + struct.pack("<HHBBB", 30_000, 30_000, 0, 0, 0)


class FakeCaptioner(Captioner):
    """Says how long a photo is; cannot read photos that end with `bad`."""

    def __init__(self):
        self.explains = True

    def caption_batch(self, photos):
        return [
            Captioned("", 0.0, "not a photo")
            if photo.endswith(b"bad")
            else Captioned(f"{len(photo)} bytes", -0.5)
            for photo in photos
        ]


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "tfcap.inference.captioner.Captioner", lambda _: FakeCaptioner()
    )
    (tmp_path / "a.jpg").write_bytes(GOOD)
    (tmp_path / "b.jpg").write_bytes(BAD)
    return [str(tmp_path / name) for name in ("a.jpg", "b.jpg", "none.jpg")]


def test_captions_are_printed_and_errors_named(photos, capsys):
    assert main.main(["caption", "--model", "m", *photos]) == 1
    out, err = capsys.readouterr()
    assert out == f" -0.500  {photos[0]}  13 bytes\n"
    assert f"{photos[1]}: not a photo" in err
    assert f"{photos[2]}: No such file" in err
    assert main.main(["caption", "--model", "m", photos[0]]) == 0


def test_captions_as_json(photos, capsys):
    assert main.main(["caption", "--model", "m", "--json", *photos]) == 1
    rows = json.loads(capsys.readouterr().out)["captions"]
    assert [row["photo"] for row in rows] == photos
    assert rows[0]["caption"] == "13 bytes" and rows[0]["error"] is None
    assert rows[2]["error"].startswith("No such file")


@pytest.mark.parametrize("options", [[], ["--best", "2"]], ids=["caption", "explain"])
def test_a_photo_is_refused_by_its_header_and_no_other(
    explaining, tmp_path, capsys, options
):
    contents = {"large.gif": LARGE, "text.jpg": b"this is text", "good.gif": GOOD}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    paths = [str(tmp_path / name) for name in contents]
    assert main.main(["caption", "--model", "m", *options, *paths]) == 1
    out, err = capsys.readouterr()
    assert out.startswith(" -0.") and f"  {paths[2]}  " in out
    size = "30000 x 30000 pixels; 89,478,485 at most"
    assert f"large.gif: too many pixels: {size}\n" in err
    assert "text.jpg: not an image: begins with b'this is '\n" in err


def test_what_is_no_file_is_refused_and_no_other_photo(photos, tmp_path, capsys):
    folder = tmp_path / "folder"
    folder.mkdir()
    os.mkfifo(folder / "pipe.jpg")
    (folder / "zero.jpg").symlink_to("/dev/zero")
    (folder / "none.jpg").symlink_to("nowhere")
    assert main.main(["caption", "--model", "m", str(folder), photos[0]]) == 1
    out, err = capsys.readouterr()
    assert out == f" -0.500  {photos[0]}  13 bytes\n"
    assert "pipe.jpg: it is a pipe; expected a regular file" in err
    assert "zero.jpg: it is a device; expected a regular file" in err
    assert "none.jpg: No such file" in err


def test_a_name_that_is_not_utf8_is_printed(photos, tmp_path, capsys):
    names = [os.fsencode(tmp_path) + name for name in (b"/caf\xe9.jpg", b"/\xff.jpg")]
    Path(os.fsdecode(names[0])).write_bytes(GOOD)
    argv = ["caption", "--model", "m", *map(os.fsdecode, names)]
    assert main.main(argv) == 1
    out, err = capsys.readouterr()
    assert out == f" -0.500  {tmp_path}/caf\\udce9.jpg  13 bytes\n"
    assert f"{tmp_path}/\\udcff.jpg: No such file" in err
    assert main.main([*argv, "--json"]) == 1
    rows = json.loads(capsys.readouterr().out)["captions"]
    assert [os.fsencode(row["photo"]) for row in rows] == names


def test_a_file_too_large_for_a_photo_is_not_read(photos, capsys):
    os.truncate(photos[1], 1 << 40)
    assert main.main(["caption", "--model", "m", *photos[:2]]) == 1
    out, err = capsys.readouterr()
    assert out.endswith("13 bytes\n")
    assert "b.jpg: it is larger than 536,870,912 bytes" in err


@pytest.fixture
def explaining(photos, monkeypatch):
    """The same with three beams, and where it looked."""

    def explain(self, contents):
        beams = tuple(Captioned(f"caption {n}", -float(n)) for n in range(3))
        look = [[[0.5, 0.5]]] * 2
        explained = Explained(beams, ("caption", "."), (0.9, 0.8), look)
        bad = Explained(error="not a photo")
        return [bad if c.endswith(b"bad") else explained for c in contents]

    monkeypatch.setattr(FakeCaptioner, "explain_batch", explain, raising=False)
    return photos


def test_the_best_captions_of_each(explaining, capsys):
    argv = ["caption", "--model", "m", "--best", "2"]
    assert main.main([*argv, explaining[0]]) == 0
    blank = " " * len(explaining[0])
    expected = f" -0.000  {explaining[0]}  caption 0\n -1.000  {blank}  caption 1\n"
    assert capsys.readouterr().out == expected
    assert main.main([*argv, "--json", *explaining]) == 1
    rows = json.loads(capsys.readouterr().out)["captions"]
    assert [caption["caption"] for caption in rows[0]["best"]] == [
        "caption 0",
        "caption 1",
    ]
    assert "best" not in rows[1]


def test_scores_that_the_search_does_not_rank_by_are_explained(
    explaining, capsys, monkeypatch
):
    argv = ["caption", "--model", "m", "--best", "2", explaining[0]]
    assert main.main(argv) == 0
    assert capsys.readouterr().err == ""
    beams = Captioned("agreed on", -1.5), Captioned("likely", -0.5)
    explained = Explained(beams, ("agreed", "on"), (0.5, 0.5))
    monkeypatch.setattr(FakeCaptioner, "explain_batch", lambda *_: [explained])
    assert main.main(argv) == 0
    out, err = capsys.readouterr()
    assert out.index("-1.500") < out.index("-0.500")
    assert err.count("this search does not rank by alone") == 1
    assert main.main([*argv, "--json"]) == 0
    out, err = capsys.readouterr()
    assert [b["score"] for b in json.loads(out)["captions"][0]["best"]] == [-1.5, -0.5]
    assert err == ""


@pytest.mark.parametrize(
    ("count", "message"),
    [
        ("4", "--best 4: this export searches with 3 beam"),
        ("0", "1 or more; received 0"),
    ],
)
def test_more_captions_than_there_are(explaining, capsys, count, message):
    assert main.main(["caption", "--model", "m", "--best", count, explaining[0]]) == 1
    assert message in capsys.readouterr().err


def test_a_picture_of_each_photo(explaining, tmp_path, capsys, monkeypatch):
    drawing = "tfcap.inference.attention_plot.attention_picture"
    monkeypatch.setattr(drawing, lambda photo, _: photo)
    second = tmp_path / "deep" / "a.jpg"
    second.parent.mkdir()
    second.write_bytes(GOOD + b";")
    argv = ["caption", "--model", "m", "--json"]
    where = ["--explain", str(tmp_path / "looks")]
    assert main.main([*argv, *where, explaining[0], str(second)]) == 0
    rows = json.loads(capsys.readouterr().out)["captions"]
    contents = [Path(row["picture"]).read_bytes() for row in rows]
    assert contents == [GOOD, GOOD + b";"]  # of one name, but none lost
    picture = str(tmp_path / "one.png")
    assert main.main([*argv, "--explain", picture, explaining[0]]) == 0
    assert Path(picture).read_bytes() == GOOD
    assert main.main([*argv, "--explain", picture, explaining[0], str(second)]) == 1
    assert "for 2 photos; name a directory" in capsys.readouterr().err


def test_a_model_that_does_not_attend(explaining, capsys, monkeypatch, tmp_path):
    for look in (None, [[[1.0]]]):
        explained = Explained((Captioned("a", -1.0),), ("a",), (0.5,), look)
        monkeypatch.setattr(FakeCaptioner, "explain_batch", lambda *_, f=explained: [f])
        argv = ["caption", "--model", "m", "--explain", str(tmp_path / "x.png")]
        assert main.main([*argv, explaining[0]]) == 0
        out, err = capsys.readouterr()
        assert out == f" -1.000  {explaining[0]}  a\n"
        assert "does not attend to places of a photo" in err
        assert not (tmp_path / "x.png").exists()
