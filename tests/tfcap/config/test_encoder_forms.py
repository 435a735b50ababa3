"""The forms of the section `encoder` have one set of keys."""

import pytest

from tfcap.config.encoder import CustomModelConfig, NetworkConfig, PresetConfig
from tfcap.config.loading import parse_config

# In the order of saved files.
KEYS = [
    *("name", "weights", "model", "signature", "preset", "layer", "pooling"),
    *("input_size", "preprocessing", "crops", "flip", "precision", "seed"),
]
NETWORK = {"name": "mobilenet", "weights": "gs://bucket/no_top.weights.h5"}
MODEL = {"model": "models/own/", "preprocessing": "unit", "signature": "serve"}
PRESET = {"preset": "presets/clip_vit_base_patch32", "input_size": 224}


@pytest.mark.parametrize(
    ("content", "form", "file_key", "file_name"),
    [
        (NETWORK, NetworkConfig, "weights", "no_top.weights.h5"),
        (MODEL, CustomModelConfig, "model", "own"),
        (PRESET, PresetConfig, "preset", "clip_vit_base_patch32"),
    ],
)
def test_each_form_prints_the_keys_of_all(content, form, file_key, file_name):
    encoder = parse_config({"encoder": content}, "test").encoder
    assert type(encoder) is form
    assert list(encoder.model_dump()) == KEYS
    assert (encoder.file_key, encoder.file_name) == (file_key, file_name)
    assert encoder.file == content[file_key]


def test_a_section_may_be_a_form_already():
    encoder = CustomModelConfig(**MODEL)
    config = parse_config({}, "test")
    content = {name: getattr(config, name) for name in type(config).model_fields}
    assert type(config)(**content).encoder == NetworkConfig()
    assert type(config)(**content | {"encoder": encoder}).encoder == encoder
