"""Configuration files, overrides, and what is said of mistakes in either."""

import pytest

from records.errors import UserError
from tfcap.config.loading import find_keys, load_config


def test_overrides_win_and_are_typed(write):
    path = write("training: {global_batch: 8, epochs: 3}")
    config = load_config(
        path,
        [
            "training.global_batch=64",
            "training.schedule.rate=1e-4",
            "encoder.layer=mixed8",
            "records.keep_photos=true",
        ],
    )
    assert config.training.global_batch == 64
    assert config.training.epochs == 3
    assert config.training.schedule.rate == 1e-4
    assert config.encoder.layer == "mixed8"
    assert config.records.keep_photos is True


def test_an_override_sets_a_key_of_a_section_that_is_null(write):
    path = write("training: {expansion: causal, self_critical: null}")
    config = load_config(path, ["training.self_critical.samples=3"])
    assert config.training.self_critical.samples == 3


@pytest.mark.parametrize("text", ["- a list", "3"])
def test_a_file_without_sections(refused, text):
    assert "must hold sections" in refused(text)


def test_a_file_that_is_no_yaml(refused):
    assert "is not YAML" in refused("a: [")


def test_a_missing_file():
    with pytest.raises(UserError, match=r"cannot read nowhere.yaml: No such file"):
        load_config("nowhere.yaml")


@pytest.mark.parametrize("override", ["epochs", "=3", "training.epochs=["])
def test_a_malformed_override(write, override):
    with pytest.raises(UserError, match="--set"):
        load_config(write("training: {epochs: 3}"), [override])


def test_an_override_of_a_key_inside_a_number(write):
    path = write("training: {epochs: 3}")
    with pytest.raises(UserError, match=r"training\.epochs: .* a valid integer"):
        load_config(path, ["training.epochs.x=3"])
    with pytest.raises(UserError, match=r"--set .*: 'epochs' is no section"):
        load_config(path, ["training.epochs=3", "training.epochs.x=3"])


@pytest.mark.parametrize(
    ("override", "where"),
    [
        ("training.epoch=3", "--set: unknown key 'training.epoch'"),
        ("training.epochs=three", "--set: training.epochs: "),
        ("model={name: attention, units: 3}", "--set: unknown key 'model.units'"),
        ("training.seed=1", "{path}: unknown key 'training.batch'"),
        ("training={seed: 1}", "{path}: unknown key 'training.batch'"),
    ],
)
def test_a_wrong_override_is_not_said_to_be_in_the_file(write, override, where):
    path = write("training: {batch: 8}" if "seed" in override else "")
    with pytest.raises(UserError) as error:
        load_config(path, [override])
    assert str(error.value).startswith(where.format(path=path))


@pytest.mark.parametrize(
    ("text", "overrides", "expected"),
    [
        (
            "{name: mobilenet, weights: random, layer: a, pooling: grid}",
            ["model=b.keras", "preprocessing=tf"],
            {"name": None, "model": "b.keras", "layer": "a", "pooling": "grid"},
        ),
        (
            "{model: b.keras, preprocessing: tf, signature: s, input_size: 64}",
            ["name=mobilenet"],
            {"name": "mobilenet", "weights": "imagenet", "model": None,
             "preprocessing": None, "signature": None, "input_size": 64},
        ),
        (
            "{name: mobilenet, preprocessing: unit}",
            ["weights=random"],
            {"name": "mobilenet", "weights": "random", "preprocessing": "unit"},
        ),
        (
            "{model: b.keras, preprocessing: tf, layer: a}",
            ["preset=clip"],
            {"model": None, "preset": "clip", "preprocessing": None, "layer": "a",
             "pooling": "embedding"},
        ),
        (
            "{preset: clip, preprocessing: unit}",
            ["weights=random"],
            {"name": "inception_v3", "preset": None, "preprocessing": "unit"},
        ),
        (
            "{preset: clip}",
            ["model=b.keras", "preprocessing=tf"],
            {"preset": None, "model": "b.keras", "pooling": "avg"},
        ),
        (
            "{name: mobilenet}",
            ["model=null"],
            {"name": "mobilenet", "weights": "imagenet", "model": None},
        ),
    ],
)  # fmt: skip
def test_an_override_that_names_one_form_of_encoder_switches_off_the_other(
    write, text, overrides, expected
):
    path = write(f"encoder: {text}")
    config = load_config(path, [f"encoder.{override}" for override in overrides])
    assert expected.items() <= config.encoder.model_dump().items()


def test_two_forms_of_encoder_in_one_place_are_refused(write):
    both = ["encoder.model=b.keras", "encoder.name=mobilenet"]
    with pytest.raises(UserError, match="`model` stands instead of `name`"):
        load_config(write(""), [*both, "encoder.preprocessing=tf"])


def test_a_file_is_read_on_top_of_its_base(write):
    base = {"tokenizer": {"kind": "word", "min_letters": 2, "min_count": 3}}
    path = write("tokenizer: {min_count: 4}")
    tokenizer = load_config(path, base=base).tokenizer
    assert (tokenizer.min_letters, tokenizer.min_count) == (2, 4)
    other = load_config(path, ["tokenizer.kind=wordpiece"], base).tokenizer
    assert (other.min_letters, other.vocabulary_size) == (None, 4000)


@pytest.mark.parametrize(
    ("name", "prefix", "keys"),
    [
        ("epochs", "", ["training.epochs"]),
        ("training.epochs", "", ["training.epochs"]),
        ("heads", "", ["model.heads"]),
        ("rate", "", ["training.schedule.rate", "training.fine_tuning.rate"]),
        ("seed", "decoding.", ["decoding.sampling.seed"]),
        ("schedule", "", []),
        ("bogus", "", []),
    ],
)
def test_keys_are_found_by_their_name(name, prefix, keys):
    assert find_keys(name, prefix) == keys
