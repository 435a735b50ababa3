"""The configuration of an experiment, and the files in configs/."""

import re

import pytest
from pydantic import ValidationError

from tfcap.config.experiment import Config
from tfcap.config.loading import load_config, parse_config
from tfcap.config.recipes import find_recipe, list_recipes

CONFIGS = [find_recipe(name) for name in list_recipes()]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_configuration_loads_and_is_headed_by_its_command(path):
    load_config(str(path))
    header = path.read_text().split("\n\n")[0]
    assert "make demo" in header or f"tfcap train --config {path.stem} " in header


def test_an_empty_file_is_all_defaults(write):
    assert load_config(write("")) == Config()


def test_wrong_sections_are_named(refused):
    message = "unknown key 'trainig'; did you mean 'training'"
    assert re.search(message, refused("trainig: {}"))


def test_sections_are_frozen():
    with pytest.raises(ValidationError):
        Config().training.epochs = 3


def test_a_configuration_survives_json():
    config = parse_config({"training": {"patience": 3}}, "test")
    assert parse_config(config.model_dump(mode="json"), "test") == config
