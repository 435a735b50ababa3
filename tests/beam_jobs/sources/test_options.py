"""The options of each source: what is missing, too much or not there."""

import argparse
import os

import pytest

from beam_jobs.sources import options
from beam_jobs.sources.coco import Coco
from beam_jobs.sources.packed_source import PackedSource
from beam_jobs.sources.registry import SOURCES
from records.errors import UserError


def parse(*flags: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    options.add_options(parser)
    args = parser.parse_args(flags)
    options.check_options(parser, args)
    return args


LINES = ("--captions=a", "--splits=d")
WRONG = [
    ((), "flickr8k needs one --captions FILE (Flickr8k.token.txt, or Kaggle's"),
    (("--captions=a",), "received no --splits and no --split_fractions"),
    ((*LINES, "--split_fractions=1,0,0"), "both --splits and --split_fractions"),
    (("--captions=a", "--split_fractions=0.5,0.4,0.2"), "with 1 for a sum"),
    (("--captions=a", "--split_fractions=0,0.5,0.5"), "train above 0"),
    (("--captions=a", "--split_fractions=0.9,0.1"), "received 0.9,0.1"),
    (("--captions=a", "--split_fractions=nan,1,0"), "received nan,1,0"),
    (("--captions=a", "--split_fractions=a,b,c"), "e.g. 0.9,0.05,0.05"),
    (("--source=coco", "--captions=train=a", "--split_fractions=1,0,0"), "'train=a'"),
    (("--splits=d",), "received no --captions"),
    ((*LINES, "--captions=b"), "received 2 --captions"),
    (("--source=flickr30k", "--captions=a"), "results.csv) and --splits DIR"),
    (("--source=coco", "--captions=a"), "received 'a'"),
    (("--source=coco", "--captions=train="), "received 'train='"),
    (("--source=coco", "--captions=dev=a"), "received no file for train"),
    (("--source=coco", "--captions=tarin=a"), "received 'tarin=a'"),
    (("--source=coco", "--captions=train=a", "--splits=d"), "it takes no --splits"),
    (("--source=karpathy",), "needs one --captions FILE (dataset_flickr8k.json"),
    (("--source=karpathy", "--captions=a", "--captions=b"), "received 2 --captions"),
    (("--source=jsonl", *LINES), "it takes no --splits"),
    (("--source=flickr9k", *LINES), "invalid choice: 'flickr9k'"),
]


@pytest.mark.parametrize(("flags", "message"), WRONG)
def test_wrong_options_exit_with_2_and_say_what_is_needed(flags, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        parse(*flags)
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


RIGHT = [
    LINES,
    ("--source=flickr30k", *LINES),
    ("--source=coco", "--captions=train=a", "--captions=val=b", "--captions=test=c"),
    ("--source=karpathy", "--captions=a"),
    ("--source=jsonl", "--captions=a", "--captions=b"),
    ("--source=jsonl", "--captions=train=a", "--captions=val=b"),
    ("--captions=a", "--split_fractions=0.9,0.05,0.05"),
    ("--source=flickr30k", "--captions=a", "--split_fractions=1,0,0"),
    ("--source=coco", "--captions=a", "--split_fractions=0.5,0.5,0"),
]


@pytest.mark.parametrize("flags", RIGHT)
def test_right_options(flags):
    parse(*flags)


@pytest.mark.parametrize("flags", RIGHT)
def test_a_file_that_is_not_there_is_named(flags, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="--captions: no file a"):
        options.open_source(parse(*flags))


@pytest.mark.parametrize("flags", RIGHT)
@pytest.mark.parametrize("content", [b"", b" \n\n"])
def test_an_empty_file_is_refused(flags, content, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(UserError, match="--captions: a is empty"):
        options.open_source(parse(*flags))


@pytest.mark.parametrize("flags", RIGHT)
def test_a_directory_is_refused(flags, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").mkdir()
    with pytest.raises(UserError, match="--captions: cannot read a"):
        options.open_source(parse(*flags))


@pytest.mark.parametrize("flags", RIGHT)
def test_another_form_is_refused(flags, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_bytes(b"photo;caption\na.jpg;A dog .\n")
    with pytest.raises(UserError, match=r"--captions: (a is no|.* head of a) "):
        options.open_source(parse(*flags))


def test_an_array_of_nothing_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").write_bytes(b" []")
    with pytest.raises(UserError, match="--captions: a holds no caption"):
        options.open_source(parse("--source=jsonl", "--captions=train=a"))


def test_names_of_a_split_are_one(tmp_path):
    (tmp_path / "a").write_bytes(b"{}")
    source = Coco.open([f"val={tmp_path}/a", f"dev={tmp_path}/a"], None)
    assert source.captions == (f"dev={tmp_path}/a",) * 2


@pytest.mark.parametrize(
    "name",
    sorted(name for name in SOURCES if not issubclass(SOURCES[name], PackedSource)),
)
def test_a_pipe_is_no_caption_file(tmp_path, name):
    os.mkfifo(tmp_path / "captions")
    path = str(tmp_path / "captions")
    option = f"train={path}" if name == "coco" else path
    with pytest.raises(UserError, match=r"cannot read .*captions: it is a pipe; exp"):
        SOURCES[name].open([option], None)
