"""The section `model`: its name says which keys it has."""

import re

import pytest

from tfcap.config.loading import load_config


@pytest.mark.parametrize("name", ["merge", "attention", "transformer"])
def test_a_model_by_its_name(write, name):
    assert load_config(write(f"model: {{name: {name}}}")).model.name == name


def test_a_model_without_a_name_is_merge(write):
    assert load_config(write("model: {embedding_units: 7}")).model.name == "merge"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{name: attention, head: 1}", "'model.head'; did you mean 'heads'"),
        ("{name: attention, heads: 3}", "heads .3. must divide attention_units"),
        ("{name: transformer, layers: 0}", "^[^:]*: model.layers: "),
        (
            "{name: transformer, heads: 5, embedding_units: 15}",
            "embedding_units must be even",
        ),
        ("{xyz: 1}", "unknown key 'model.xyz'; valid: name, photo, sta"),
        ("{image_dropout: 1.0}", "model.image_dropout: .*less than 1"),
        ("{name: rnn}", "model.name: .*'merge', 'attention', .*received 'rnn'"),
        ("{image_units: 8}", "image_units .8. and lstm_units .256."),
    ],
)
def test_a_wrong_model_is_explained(refused, text, message):
    assert re.search(message, refused(f"model: {text}"))
