import hashlib

import pytest

from records.console import run_command
from records.errors import UserError
from tfcap.datasets import held_out

LISTS = {
    "train": [f"t{i}.jpg" for i in range(1010)],
    "dev": [f"d{i}.jpg" for i in range(510)],
}


def test_photos_are_split_by_the_hash_of_their_names():
    splits = held_out.hold_out(LISTS)

    assert {split: len(names) for split, names in splits.items()} == {
        "train": 20,
        "dev": 500,
        "test": 1000,
    }
    largest = sorted(LISTS["train"], key=lambda n: hashlib.sha256(n.encode()).digest())
    assert set(splits["train"]) >= set(largest[1000:])
    assert set(splits["dev"]) <= set(LISTS["dev"])
    assert set(splits["test"]) <= set(LISTS["train"])
    assert len({name for names in splits.values() for name in names}) == 1520


def test_the_order_of_the_official_lists_does_not_count():
    reverse = {split: names[::-1] for split, names in LISTS.items()}
    assert held_out.hold_out(LISTS) == held_out.hold_out(reverse)


def test_too_few_photos_are_refused():
    with pytest.raises(UserError, match="1000 of train and 510 of dev are present"):
        held_out.hold_out({**LISTS, "train": LISTS["train"][:1000]})


def test_the_lists_name_only_photos_that_are_there(tmp_path, capsys):
    (tmp_path / "text").mkdir()
    (tmp_path / "images").mkdir()
    for split, names in LISTS.items():
        text = "\ufeff" + "\r\n".join([*names, f"missing_{split}.jpg", ""])
        (tmp_path / "text" / f"Flickr_8k.{split}Images.txt").write_text(text)
        for name in names:
            (tmp_path / "images" / name).touch()
    paths = {"splits": "text", "photos": "images", "output": "new"}

    code = held_out.main([f"--{k}={tmp_path / v}" for k, v in paths.items()])

    assert code == 0
    assert capsys.readouterr().out.split() == [
        "20",
        "train",
        "500",
        "dev",
        "1,000",
        "test",
    ]
    expected = held_out.hold_out(LISTS)
    for split in ("train", "dev", "test"):
        path = tmp_path / "new" / f"Flickr_8k.{split}Images.txt"
        assert path.read_text().splitlines() == expected[split]


def test_a_missing_list_is_named(tmp_path, capsys):
    argv = [f"--{name}={tmp_path}" for name in ("splits", "photos", "output")]
    assert run_command(lambda: held_out.main(argv)) == 1
    assert "Flickr_8k.trainImages.txt" in capsys.readouterr().err
