from pathlib import Path

import pytest

from records.errors import UserError
from tfcap.config.loading import load_config
from tfcap.config.recipes import DIRECTORY, find_recipe, list_recipes, resolve_path

NO_RECIPES = {"dataflow", "dataflow_cpu", "index"}


def test_the_index_names_every_configuration():
    files = {path.stem for path in DIRECTORY.glob("*.yaml")}
    assert set(list_recipes()) == files - NO_RECIPES


@pytest.mark.parametrize("name", list(list_recipes()))
def test_a_recipe_loads_by_name(name):
    assert load_config(name) == load_config(str(find_recipe(name)))


def test_a_mistyped_name_is_suggested():
    with pytest.raises(UserError, match="no recipe 'flickr8'; did you mean flickr8k"):
        resolve_path("flickr8")


def test_a_directory_of_the_same_name_hides_no_recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("demo").mkdir()
    assert resolve_path("demo") == str(find_recipe("demo"))


def test_a_path_stays_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("demo").write_text("training: {epochs: 1}")
    for path in ("demo", "none.yaml", "configs/demo", "./flickr8k"):
        assert resolve_path(path) == path
