"""YAML of strangers."""

import math
import os

import pytest
import yaml

from beam_jobs.runners.options import read_mapping
from records.errors import UserError
from tfcap.config.loading import load_config
from tfcap.config.yaml_files import BoundedLoader

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
        ("9" * 5000, "an integer of 5,000 digits in line 1; 100 at most"),
        ("0x" + "f" * 5000, "an integer of 5,002 digits"),
        ("-" + "1:" * 400 + "1", "an integer of 802 digits"),
        ("59:" * 400 + "1.5", "it holds no number: int too large to convert to float"),
        ("0b_", "it holds no number: invalid literal for int()"),
        ("!!timestamp 2024-13-45", "could not determine a constructor for the tag"),
        ("!!binary aGVsbG8=", "could not determine a constructor for the tag"),
        ("!!set {a, b}", "could not determine a constructor for the tag"),
        ("!!python/name:os.system", "could not determine a constructor for the tag"),
    ],
    ids=[
        *("laughs", "merged", "list", "mapping", "deep", "digits", "hexadecimal"),
        *("sexagesimal", "float", "binary", "date", "bytes", "set", "python"),
    ],
)
def test_what_would_grow_is_refused(tmp_path, text, problem):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    for read in (load_config, read_mapping):
        with pytest.raises(UserError, match="is not YAML") as error:
            read(str(path))
        assert problem in str(error.value)
    with pytest.raises(UserError, match=r"--set training\.seed: the value is not YAML"):
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


@pytest.mark.parametrize("date", ["2024-13-45", "2024-02-03", "2024-02-03 04:05:06"])
def test_a_date_is_a_text(tmp_path, date):
    config = load_config(str(empty(tmp_path)), [f"encoder.name={date}"])
    assert config.encoder.name == date
    with pytest.raises(UserError, match=rf"training.seed: .* received '{date}'"):
        load_config(str(empty(tmp_path)), [f"training.seed={date}"])
    path = tmp_path / "options.yaml"
    path.write_text(f"labels: {{{date.replace(':', '')}: {date[:10]}}}")
    assert read_mapping(str(path)) == {"labels": {date.replace(":", ""): date[:10]}}


def test_what_json_can_say_is_read():
    text = "[1, 0x10, 1.5, yes, null, [x, '1'], -.inf, {1: 2}]"
    expected = [1, 16, 1.5, True, None, ["x", "1"], -math.inf, {1: 2}]
    assert yaml.load(text, BoundedLoader) == expected


def test_a_few_aliases_are_read():
    text = "a: &a {x: 1}\nb: {<<: *a, y: &b [2]}\nc: [*b, *b]"
    expected = {"a": {"x": 1}, "b": {"x": 1, "y": [2]}, "c": [[2], [2]]}
    assert yaml.load(text, BoundedLoader) == expected
