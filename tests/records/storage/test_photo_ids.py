"""Ids of photos, and names of splits."""

import pytest

from records.storage.photo_ids import base_name, is_below, photo_id, split_name


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.jpg", "a.jpg"),
        (" a.jpg\t", "a.jpg"),
        ("./train//x/../a.jpg", "train/a.jpg"),
        ("cafe\u0301.jpg", "caf\u00e9.jpg"),
        ("caf\udce9.jpg", "caf\\udce9.jpg"),
        ("../a.jpg", "../a.jpg"),
    ],
)
def test_one_spelling(path, expected):
    assert photo_id(path) == expected
    assert photo_id(expected) == expected


def test_last_part():
    assert [base_name(path) for path in ("a", "b/a", "b/")] == ["a", "a", ""]


@pytest.mark.parametrize(
    ("path", "expected"),
    [("a", True), ("b/a", True), ("", False), ("/a", False), ("b/../../a", False)],
)
def test_below(path, expected):
    assert is_below(path) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("train Train TRAINING restval", "train"),
        ("dev val valid Validation VAL development", "dev"),
        ("test Test testing", "test"),
        ("tset", "tset"),
        ("Mine", "Mine"),
    ],
)
def test_splits(names, expected):
    assert {split_name(f" {name} ".strip()) for name in names.split()} == {expected}
