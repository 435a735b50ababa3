"""The section `encoder`: a named network, or a model file."""

import re

import pytest

from tfcap.config.encoder import PreprocessingConfig
from tfcap.config.loading import load_config, parse_config


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", {"name": "inception_v3", "weights": "imagenet", "model": None}),
        ("{name: mobilenet}", {"name": "mobilenet", "weights": "imagenet"}),
        ("{weights: random}", {"name": "inception_v3", "weights": "random"}),
        ("{name: null, weights: null}", {"name": "inception_v3"}),
        (
            "{model: own.keras, preprocessing: unit}",
            {"name": None, "weights": None, "model": "own.keras"},
        ),
    ],
)
def test_an_encoder_is_a_network_by_name_or_a_model(write, text, expected):
    encoder = load_config(write(f"encoder: {text}")).encoder
    assert expected.items() <= encoder.model_dump().items()
    assert parse_config({"encoder": encoder.model_dump()}, "test").encoder == encoder


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{name: mobilenet, model: own.keras, preprocessing: tf}",
            "`model` stands instead of `name` and `weights`; leave these out: enc",
        ),
        (
            "{model: own.keras}",
            "`preprocessing` must say which pixels own.keras takes: none .0 to 255., ",
        ),
        (
            "{preset: clip_vit_base_patch32, name: mobilenet}",
            "`preset` stands instead of `name`; leave that out: encoder: {preset: cl",
        ),
        (
            "{preset: clip_vit_base_patch32, model: own.keras}",
            "`preset` stands instead of `model`; leave that out",
        ),
        ("{pooling: embedding}", "encoder.pooling: .*'flatten' or 'grid'; received"),
        ("{preset: a, pooling: max}", "encoder.pooling: .*'embedding', 'avg', 'fl"),
        ("{signature: serve}", "`signature` belongs to a SavedModel, nam"),
        (
            "{model: own.keras, preprocessing: {resize: crop}}",
            "`preprocessing` must say which pixels own.keras takes: none .0 to 255., ",
        ),
        (
            "{preprocessing: {mean: [0, 0, 0]}}",
            "encoder.preprocessing: `mean` and `deviation` belong together; state both",
        ),
        (
            "{preprocessing: {mean: [0, 0, 0], deviation: [1, 1, 1], scaling: tf}}",
            "`scaling: tf` and `mean` exclude each other; state one",
        ),
        (
            "{preprocessing: {mean: [0, 0, 0], deviation: [1, 0, 1]}}",
            "encoder.preprocessing.deviation.1: Input should be greater than 0; recei",
        ),
        ("{preprocessing: {resize: cut}}", "preprocessing.resize: .*'squash', 'crop'"),
        (
            "{preprocessing: {resise: crop}}",
            "unknown key 'encoder.preprocessing.resise'; did you mean 'resize'",
        ),
        ("{preprocessing: 0..1}", "encoder.preprocessing: .*'unit', 'tf', '"),
        ("{crops: 10}", "encoder.crops: Input should be 1 or 5; received 10"),
        ("{flip: 1}", "encoder.flip: Input should be a valid boolean; rec"),
        (
            "{crops: 5, pooling: grid}",
            "`crops: 5` needs pooling avg or flatten: a grid's cells are places in the",
        ),
        ("{crop: null}", "unknown key 'encoder.crop'; did you mean 'crops'"),
    ],
)
def test_a_wrong_encoder_is_explained(refused, text, message):
    assert re.search(message, refused(f"encoder: {text}"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("clip", PreprocessingConfig(
            scaling="clip", resize="crop", interpolation="bicubic", rounded=True)),
        ("tf", PreprocessingConfig(scaling="tf")),
        ("{resize: pad, antialias: false}",
            PreprocessingConfig(resize="pad", antialias=False)),
        ("{mean: [0, 0.5, 0.5], deviation: [1, 0.25, 0.5]}",
            PreprocessingConfig(mean=(0, 0.5, 0.5), deviation=(1, 0.25, 0.5))),
        ("null", None),
    ],
)  # fmt: skip
def test_preprocessing_is_a_name_or_a_section(write, text, expected):
    path = write(f"encoder: {{name: mobilenet, preprocessing: {text}}}")
    encoder = load_config(path).encoder
    assert encoder.photo_preprocessing == expected
    saved = {"encoder": encoder.model_dump(mode="json")}
    assert parse_config(saved, "test").encoder == encoder


def test_a_key_of_preprocessing_is_set_on_the_command_line(write):
    path = write("encoder: {name: mobilenet, preprocessing: tf}")
    encoder = load_config(path, ["encoder.preprocessing.resize=crop"]).encoder
    assert encoder.photo_preprocessing == PreprocessingConfig(resize="crop")
