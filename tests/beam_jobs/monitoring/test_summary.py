"""The tables at the end of a build."""

from dataclasses import replace

import pytest
from small_data import PHOTOS, build, counting, moved, photo_bytes

from beam_jobs.monitoring.summary import print_summary


@pytest.fixture
def summary(capsys):
    def make(job, result) -> str:
        capsys.readouterr()
        print_summary(job, result, 2.0)
        return capsys.readouterr().out

    return make


def test_a_build(data, tmp_path, summary):
    data.add_photo("b.jpg", b"no photo")
    job = data.job(tmp_path / "out")
    text = summary(job, build(job))
    for expected in (
        "│ rejected: not_an_image │      1 │        5 │",
        "│ train │      5 │",
        "│ read photos ",
        "│ decode and encode ",
        "│ write records ",
        "9 photos encoded by mean_colour in 2 s, start and all (4.5/s)",
        "vocabulary ",
        f"records in {tmp_path / 'out'}",
    ):
        assert expected in text, text
    assert "taken over" not in text and "damaged" not in text


def test_dropped_words_are_shown(data, tmp_path, summary):
    data.add("k.jpg", photo_bytes("k"), ["k.jpg#0\tTwo 2 dogs , 2 a€ 3rd"])
    job = data.job(tmp_path / "out")
    text = summary(job, build(job))
    assert "= 252 kept + 4 dropped\n" in text
    assert "  dropped: digit 3, most often 2 (2), 3rd (1)\n" in text
    assert "  dropped: symbol 1, most often a€ (1)\n" in text
    assert "without spaces" not in text


def test_files_without_captions_are_counted(data, tmp_path, summary):
    (data.photos / "notes.txt").write_text("")
    job = data.job(tmp_path / "out")
    text = summary(job, build(job))
    assert f"files of {data.photos} without a caption, left alone: 1" in text
    assert "split dev" not in text


def test_a_build_without_dev_photos_says_so(data, tmp_path, summary):
    data.write_split("dev", ["nobody.jpg"])
    job = data.job(tmp_path / "out")
    result = build(job)
    text = summary(job, result)
    assert "warning: no photo is in split dev, by which tfcap train" in text
    assert "list some, or build with --split_fractions 0.9,0.05,0.05\n" in text
    drawn = summary(replace(job, split_fractions=(0.9, 0.05, 0.05)), result)
    assert "take more photos, or a larger part for it in --split_fractions\n" in drawn


def test_captions_that_are_all_equal_are_a_warning(data, tmp_path, summary):
    data.write_lines(data.captions, [f"{photo}#0\tA dog ." for photo in PHOTOS])
    job = data.job(tmp_path / "out")
    expected = "warning: all training captions have the same tokens"
    assert expected in summary(job, build(job))


def test_some_captions_without_spaces_are_a_warning(data, tmp_path, summary):
    data.add("k.jpg", photo_bytes("k"), [f"k.jpg#{i}\t一只狗在跑" for i in range(5)])
    job = data.job(tmp_path / "out")
    text = summary(job, build(job))
    assert "warning: 3% of the training captions' words are in a script without" in text
    assert "each a whole clause; tokenizer.kind=char cuts them" in text


def test_a_build_that_went_on(data, tmp_path, summary):
    job = data.job(tmp_path / "out")
    with pytest.raises(RuntimeError, match="switched off"):
        build(job, encoder_for=counting(breaks_after=3))
    assert "photos taken over from an interrupted build" in summary(job, build(job))


def test_a_build_that_encoded_nothing(data, tmp_path, summary):
    first = data.job(tmp_path / "first")
    build(first)
    job = replace(moved(first, tmp_path / "out"), reuse=first.output)
    text = summary(job, build(job))
    assert f"features of 10 photos taken over from {tmp_path / 'first'}" in text
    assert "no photo had to be encoded; done in 2 s, start and all" in text
    assert "decode and encode" not in text


class Result:
    def __init__(self, state):
        self.state = state

    def metrics(self):
        raise NotImplementedError


def test_a_runner_that_counts_nothing(data, tmp_path, summary):
    job = data.job(tmp_path / "out")
    build(job)
    text = summary(job, Result("DONE"))
    assert "done in 2 s; this runner tells no more" in text
    assert "time by step" not in text
    assert "│ train │      6 │" in text
