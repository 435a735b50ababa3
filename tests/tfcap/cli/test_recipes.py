import json
import re

import pytest

from tfcap.cli.main import main
from tfcap.config.recipes import list_recipes


def test_every_recipe_is_listed(capsys):
    assert main(["recipes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split(" ")[0] for line in lines} >= set(list_recipes())
    assert max(map(len, lines)) <= 88


@pytest.mark.parametrize("columns", [40, 80])
def test_no_figure_is_cut_on_a_narrow_terminal(columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["recipes"]) == 0
    out = capsys.readouterr().out
    assert "…" not in out and max(map(len, out.splitlines())) <= columns
    figures = r"^inception_transformer +\(59\.0\) +10 .*1\.3 GB"
    assert re.search(figures, out, re.MULTILINE)


def test_as_json(capsys):
    assert main(["recipes", "--json"]) == 0
    recipes = json.loads(capsys.readouterr().out)["recipes"]
    assert recipes["demo"]["weights"] == "random"


def test_a_copy_is_the_recipe(tmp_path, capsys):
    path = tmp_path / "mine.yaml"
    assert main(["recipes", "copy", "demo", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert "make demo" in path.read_text()


def test_an_existing_file_is_kept(tmp_path, capsys):
    path = tmp_path / "mine.yaml"
    path.write_text("mine")
    assert main(["recipes", "copy", "demo", str(path)]) == 1
    assert path.read_text() == "mine"
    assert "exists" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["flickr8", "dataflow", "index"])
def test_a_name_that_is_no_recipe(name, tmp_path, capsys):
    assert main(["recipes", "copy", name, str(tmp_path / "x")]) == 1
    assert f"no recipe {name!r}" in capsys.readouterr().err
