"""YAML of strangers."""

import os

import pytest
import yaml

from beam_jobs.option_files import read_mapping
from records.errors import UserError
from tfcap.config import load_config
from tfcap.yaml_files import BoundedLoader

LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10)
)
MERGED = "a0: &a0 {x: 1}\n" + "".join(
    f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 10)
)


@pytest.mark.parametrize(
    "text, problem",
    [
        (LAUGHS, "more than 16 aliases"),
        (MERGED, "more than 16 aliases"),
        ("training: &a [*a]", "&a holds itself"),
        ("training: &a {b: {c: *a}}", "&a holds itself"),
        ("[" * 5000, "nested too deeply"),
    ],
    ids=["laughs", "merged", "list", "mapping", "deep"],
)
def test_what_would_grow_is_refused(tmp_path, text, problem):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    for read in (load_config, read_mapping):
        with pytest.raises(UserError, match="is not YAML") as error:
            read(str(path))
        assert problem in str(error.value)
    with pytest.raises(UserError, match="not YAML"):
        load_config(str(empty(tmp_path)), [f"training.seed={text}"])


@pytest.mark.parametrize("read", [load_config, read_mapping])
def test_only_small_regular_files_are_read(tmp_path, read):
    with pytest.raises(UserError, match="cannot read /dev/zero: it is a device"):
        read("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe: it is a pipe"):
        read(str(tmp_path / "pipe"))
    large = tmp_path / "large.yaml"
    large.touch()
    os.truncate(large, 1 << 40)
    with pytest.raises(UserError, match="larger than 1,048,576 bytes"):
        read(str(large))


def empty(folder):
    path = folder / "empty.yaml"
    path.write_text("")
    return path


def test_a_few_aliases_are_read():
    text = "a: &a {x: 1}\nb: {<<: *a, y: &b [2]}\nc: [*b, *b]"
    expected = {"a": {"x": 1}, "b": {"x": 1, "y": [2]}, "c": [[2], [2]]}
    assert yaml.load(text, BoundedLoader) == expected
