"""Configuration: strict, frozen, and clear about what is wrong."""

import pytest
from pydantic import ValidationError

from records.errors import UserError
from tfcap.config.experiment import Config
from tfcap.config.loading import load_config, parse_config
from tfcap.config.recipes import find_recipe, list_recipes

CONFIGS = [find_recipe(name) for name in list_recipes()]


@pytest.fixture
def write(tmp_path):
    def write(text: str) -> str:
        path = tmp_path / "experiment.yaml"
        path.write_text(text)
        return str(path)

    return write


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_configuration_loads_and_is_headed_by_its_command(path):
    load_config(str(path))
    header = path.read_text().split("\n\n")[0]
    assert "make demo" in header or "tfcap train --config configs/" in header


def test_an_empty_file_is_all_defaults(write):
    assert load_config(write("")) == Config()


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training: {globl_batch: 1}", "'training.globl_batch'; did you mean 'global_"),
        ("trainig: {}", "unknown key 'trainig'; did you mean 'training'"),
        ("model: {name: attention, head: 1}", "'model.head'; did you mean 'heads'"),
        ("model: {name: attention, heads: 3}", "heads .3. must divide attention_units"),
        ("model: {name: transformer, layers: 0}", "^[^:]*: model.layers: "),
        ("model: {xyz: 1}", "unknown key 'model.xyz'; valid: name, photo, sta"),
        ("training: {schedule: {rat: 1}}", "did you mean 'rate'"),
        ("training: {self_critical: {sample: 1}}", "did you mean 'samples'"),
        ("decoding: {consensus: {regression: {widht: 1}}}", "did you mean 'width'"),
        ('training: {global_batch: "64"}', "training.global_batch: .*received '64'"),
        ("training: {global_batch: 0}", "greater than or equal to 1; received 0"),
        ("model: {image_dropout: 1.0}", "model.image_dropout: .*less than 1"),
        ("model: {name: rnn}", "model.name: .*'merge', 'attention', .*received 'rnn'"),
        ("model: {image_units: 8}", "image_units .8. and lstm_units .256."),
        ("training: {schedule: {kind: step}}", "`steps` .* belongs to `kind: step`"),
        (
            "training: {schedule: {kind: step, steps: [[3, 0.1], [2, 0.1]]}}",
            "epochs in `steps` must rise",
        ),
        (
            "tokenizer: {kind: wordpiece, min_letters: 2}",
            "min_letters belongs to `kind: word`; `kind: wordpiece` has no such",
        ),
        ("tokenizer: {vocabulary_size: 9}", "belongs to `kind: wordpiece`; `kind: w"),
        ("tokenizer: {kind: bpe}", "tokenizer.kind: .*'char'; received 'bpe'"),
        ("tokenizer: {kind: [char]}", "tokenizer.kind: .*received"),
        ("tokenizer: {kind: char, xyz: null}", "unknown key 'tokenizer.xyz'; valid: k"),
        ("tokenizer: char", "tokenizer: Input should be an object; received 'char'"),
        (
            "encoder: {name: mobilenet, model: own.keras, preprocessing: tf}",
            "`model` stands instead of `name` and `weights`; leave these out: enc",
        ),
        (
            "encoder: {model: own.keras}",
            "`preprocessing` must say which pixels own.keras takes: none .0 to 255., ",
        ),
        ("encoder: {signature: serve}", "`signature` belongs to a SavedModel, nam"),
        ("encoder: {preprocessing: 0..1}", "encoder.preprocessing: .*'unit', 'tf', '"),
        ("encoder: {crops: 10}", "encoder.crops: Input should be 1 or 5; received 10"),
        ("encoder: {flip: 1}", "encoder.flip: Input should be a valid boolean; rec"),
        (
            "encoder: {crops: 5, pooling: grid}",
            "`crops: 5` needs pooling avg or flatten: a grid's cells are places in the",
        ),
        ("encoder: {crop: null}", "unknown key 'encoder.crop'; did you mean 'crops'"),
        ("- a list", "must hold sections"),
        ("a: [", "is not YAML"),
    ],
)
def test_errors_name_key_expectation_and_value(write, text, message):
    path = write(text)
    with pytest.raises(UserError, match=message) as caught:
        load_config(path)
    assert path in str(caught.value)


def test_a_missing_file():
    with pytest.raises(UserError, match=r"cannot read nowhere.yaml: No such file"):
        load_config("nowhere.yaml")


@pytest.mark.parametrize("override", ["epochs", "=3", "training.epochs.x=3"])
def test_a_malformed_override(write, override):
    with pytest.raises(UserError, match="--set"):
        load_config(write("training: {epochs: 3}"), [override])


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
    ("text", "expected"),
    [
        ("{}", {"kind": "word", "min_letters": 1, "min_count": 5, "oov": "unk"}),
        ("{min_count: 2}", {"kind": "word", "min_letters": 1, "min_count": 2}),
        ("{kind: wordpiece}", {"vocabulary_size": 4000, "min_count": 2}),
        ("{kind: wordpiece, vocabulary_size: 99}", {"vocabulary_size": 99}),
        ("{kind: char, oov: drop}", {"min_count": 5, "oov": "drop"}),
    ],
)
def test_a_tokenizer_has_the_defaults_of_its_kind(write, text, expected):
    tokenizer = load_config(write(f"tokenizer: {text}")).tokenizer
    assert expected.items() <= tokenizer.model_dump().items()


def test_null_takes_back_what_belongs_to_another_kind(write):
    path = write("tokenizer: {kind: word, min_letters: 2, min_count: 10}")
    asked = ["tokenizer.kind=char", "tokenizer.min_letters=null"]
    tokenizer = load_config(path, asked).tokenizer
    assert tokenizer.model_dump() == {"kind": "char", "min_count": 10, "oov": "unk"}


def test_sections_are_frozen():
    with pytest.raises(ValidationError):
        Config().training.epochs = 3


def test_a_configuration_survives_json():
    config = parse_config({"training": {"patience": 3}}, "test")
    assert parse_config(config.model_dump(mode="json"), "test") == config
