"""The section `encoder`: a named network, or a model file."""

import re

import pytest

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
        ("{signature: serve}", "`signature` belongs to a SavedModel, nam"),
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
