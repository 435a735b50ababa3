"""Every command and every key of the configuration has its place in the reference."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("docstring_parser", reason="needs tfcap[docs]")

SOURCE = Path(__file__).parents[2] / "docs" / "reference_pages.py"


@pytest.fixture(scope="module")
def pages():
    spec = importlib.util.spec_from_file_location("reference_pages", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_key_has_a_type_and_a_meaning(pages):
    rows = [
        line.split(" | ")
        for line in pages.configuration_page().splitlines()
        if line.startswith("| `")
    ]
    assert len(rows) > 80
    for key, kind, _, meaning in rows:
        assert kind and "<" not in kind and "typing" not in kind, key
        assert meaning.strip(" |") or key == "| `name`", key


def test_every_command_has_its_help(pages):
    text = pages.commands_page()
    for name in ("build", "caption-photos", "train", "verify", "recipes", "info"):
        assert f"## tfcap {name}\n" in text
    assert "usage: tfcap build [-h] --config CONFIG" in text


def test_the_tokenizers_defaults_are_those_of_its_kinds(pages):
    text = pages.configuration_page()
    assert "| `min_count` | whole number | `5` (word, char), `2` (wordpiece) |" in text
    assert '| `kind` | `word`, `wordpiece`, `char` | `"word"` |' in text
    assert '| `oov` | `unk`, `drop` | `"unk"` |' in text
