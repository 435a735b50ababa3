"""Several containers in one option."""

import pytest

from beam_jobs.containers.patterns import expand, expand_braces
from records.errors import UserError


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a.tar", ["a.tar"]),
        ("s-{0..2}.tar", ["s-0.tar", "s-1.tar", "s-2.tar"]),
        ("s-{009..011}.tar", ["s-009.tar", "s-010.tar", "s-011.tar"]),
        ("{train,val}2017.zip", ["train2017.zip", "val2017.zip"]),
        ("{a,b}/{1..2}", ["a/1", "a/2", "b/1", "b/2"]),
        ("{3..1}.tar", []),
        ("a{.tar", ["a{.tar"]),
    ],
)
def test_braces(pattern, names):
    assert list(expand_braces(pattern)) == names


@pytest.mark.parametrize("pattern", ["{0..99999999}.tar", "{0..1999}{0..1999}.tar"])
def test_too_many_names_are_refused_before_they_are_made(pattern):
    with pytest.raises(UserError, match="names too many files; expected at most 1,00"):
        list(expand_braces(pattern))


def test_wildcards_name_files_in_order(tmp_path):
    for name in ("b.tar", "a.tar", "c.zip"):
        (tmp_path / name).touch()
    expected = [str(tmp_path / "a.tar"), str(tmp_path / "b.tar")]
    assert expand(f"{tmp_path}/*.tar") == expected
    assert expand(f"{tmp_path}/{{a,b}}.tar") == expected
    assert expand(f"{tmp_path}/{{a,*}}.tar") == expected


def test_a_name_with_the_characters_of_patterns(tmp_path):
    (tmp_path / "a[1].zip").touch()
    assert expand(f"{tmp_path}/a[1].zip") == [f"{tmp_path}/a[1].zip"]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{0..1}.tar", "--photos: no file .*/1.tar"),
        ("*.zip", "--photos: no file matches .*zip"),
        ("{3..1}.tar", "--photos: .* names no file"),
    ],
)
def test_a_missing_file_is_named(tmp_path, pattern, message):
    (tmp_path / "0.tar").touch()
    with pytest.raises(UserError, match=message):
        expand(f"{tmp_path}/{pattern}")
