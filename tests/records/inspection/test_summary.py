import dataclasses
import json

import pytest

from records.__main__ import main
from records.format.record_set import RecordSet
from records.inspection.samples import sample_splits
from records.inspection.summary import describe, histogram


def described(directory, limit=3, photos=None):
    record_set = RecordSet.open(str(directory))
    return describe(record_set, sample_splits(record_set, limit, photos))


def test_what_json_holds(record_set):
    found = described(record_set)
    assert found["directory"] == str(record_set)
    assert found["format"] == 1
    assert found["encoder"]["name"] == "mobilenet"
    assert found["features"] == {"shape": [4], "dtype": "float32", "bytes": 16}
    assert found["longest_caption"] == 8
    assert sum(found["caption_lengths"].values()) == 33
    assert found["photo_formats"] == {"JPEG": 17}
    assert found["in_and_out"]["photos"] == {
        "in": 19,
        "written": 17,
        "rejected": {"in_no_split": 1, "photo_missing": 1},
    }
    assert found["in_and_out"]["captions"]["in"] == 33 + 8
    words = found["words"]
    assert words["in"] == words["kept"] + 9
    assert words["dropped"]["digit"] == {"count": 7, "examples": {"2": 4, "<b>3": 3}}


def test_records_that_do_not_say_what_became_of_words(
    record_set, edit_manifest, capsys
):
    old = {"words_in": 0, "words_kept": 0, "dropped_words": {}}
    edit_manifest(record_set, **{f"statistics__{k}": v for k, v in old.items()})
    assert described(record_set)["words"] == {}
    assert main(["inspect", str(record_set)]) == 0
    assert "words in" not in capsys.readouterr().out


def test_what_tells_of_wrong_input_is_said(record_set, edit_manifest, capsys):
    found = described(record_set)
    assert (found["uncaptioned_files"], found["equal_captions"]) == (0, False)
    assert main(["inspect", str(record_set)]) == 0
    assert "no caption or list" not in capsys.readouterr().out
    changes = {"uncaptioned_files": 7, "equal_captions": True}
    edit_manifest(record_set, **{f"statistics__{k}": v for k, v in changes.items()})
    found = described(record_set)
    assert (found["uncaptioned_files"], found["equal_captions"]) == (7, True)
    assert main(["inspect", str(record_set)]) == 0
    out = capsys.readouterr().out
    assert "files of the photo directory that no caption or list names: 7\n" in out
    assert "all training captions have the same tokens\n" in out


def test_splits_stand_in_their_usual_order(record_set):
    splits = described(record_set)["splits"]
    assert list(splits) == ["train", "dev", "test"]
    held = [(s["photos"], s["captions"], s["shards"]) for s in splits.values()]
    assert held == [(12, 24, 3), (5, 9, 2), (0, 0, 0)]
    shards = record_set.glob("train-*.tfrecord")
    assert splits["train"]["bytes"] == sum(path.stat().st_size for path in shards)


def test_vocabulary(record_set):
    numbers = described(record_set)["vocabulary"]
    assert numbers["size"] == 4 + 3  # a, dog and the are in more than one text
    rate = numbers["out_of_vocabulary"] / numbers["words_written"]
    assert numbers["out_of_vocabulary_rate"] == pytest.approx(rate)


@pytest.mark.parametrize(("limit", "expected"), [(0, [0, 0]), (2, [2, 2]), (9, [9, 5])])
def test_limit_is_per_split(record_set, limit, expected):
    samples = described(record_set, limit)["samples"]
    assert list(samples) == ["train", "dev"]  # test holds no photo
    assert [len(photos) for photos in samples.values()] == expected


def test_histogram():
    assert list(histogram({3: 1, 5: 4})) == [
        "  3        1 " + "█" * 13,
        "  4        0",
        "  5        4 " + "█" * 50,
    ]
    assert list(histogram({})) == []


def test_tables(record_set, capsys):
    assert main(["inspect", str(record_set), "--limit", "1"]) == 0
    out, err = capsys.readouterr()
    for expected in (
        "mobilenet, last layer, avg, 224 pixels",
        "random, digest 0123456789ab",
        "4 float32, 16 bytes a photo",
        "min_count 2",
        "7 tokens, ",
        "rejected: photo_missing",
        "from train",
        "from dev",
        "8        ",
        "17 JPEG",
        "+ 9 dropped",
        "  dropped: digit 7, most often 2 (4), <b>3 (3)",
    ):
        assert expected in out
    assert err.startswith("photos are read from /photos, which dataset.json names")


def test_captions_are_no_markup(make_record_set, capsys):
    def rearrange(arranged):
        first = arranged["train"][0][0]
        texts = ("[red]a[/red] dog :dog: [/]",) * len(first.captions)
        arranged["train"][0][0] = dataclasses.replace(first, captions=texts)

    directory = make_record_set(rearrange=rearrange)
    assert main(["inspect", str(directory), "--limit", "1"]) == 0
    assert "[red]a[/red] dog :dog: [/]" in capsys.readouterr().out


def test_json_is_one_object_and_nothing_else(record_set, capsys):
    assert main(["inspect", str(record_set), "--json"]) == 0
    out, err = capsys.readouterr()
    expected = json.loads(json.dumps(described(record_set)))
    assert json.loads(out) == {**expected, "page": None}
    assert err.startswith("photos are read from /photos, which dataset.json names")


def test_a_photos_path_is_not_cut(record_set, tmp_path, capsys):
    folder = tmp_path / "photos" / ("deep" * 30)
    folder.mkdir(parents=True)
    name = described(record_set, 1)["samples"]["dev"][0]["photo"]
    (folder / name).write_bytes(name.encode())
    photos = str(tmp_path / "photos")
    assert main(["inspect", str(record_set), "--limit", "1", "--photos", photos]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"  {folder / name}" in lines
    assert "  photo not found" in lines  # that of the training record
    assert f"  {name}, record 0 of dev-00000-of-00002.tfrecord" in lines


def test_what_is_said_of_other_photos(make_record_set, tmp_path, capsys):
    directory = make_record_set(keep_photos=True)
    assert main(["inspect", str(directory), "--limit", "1"]) == 0
    assert "  photo kept in the record\n" in capsys.readouterr().out
    name = described(directory, 1)["samples"]["dev"][0]["photo"]
    (tmp_path / name).write_bytes(b"another")
    assert main(["inspect", str(directory), "--photos", str(tmp_path)]) == 0
    assert f"{tmp_path / name} (changed since)\n" in capsys.readouterr().out


def test_photos_that_are_nowhere(record_set, capsys):
    assert main(["inspect", str(record_set), "--photos", "/nowhere"]) == 1
    assert capsys.readouterr().err == "error: --photos: no directory /nowhere\n"


def test_a_damaged_set_is_refused(record_set, capsys):
    (record_set / "train-00001-of-00003.tfrecord").unlink()
    assert main(["inspect", str(record_set), "--json"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: shard ") and "is missing" in err
