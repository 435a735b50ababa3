"""Configurations that tfcap has saved: whole, of earlier and of newer versions."""

from pathlib import Path

import pytest
import yaml

from records.errors import UserError
from tfcap.config.base import Section
from tfcap.config.decoding import (
    ConsensusConfig,
    DecodingConfig,
    RegressionConfig,
    ResolvedDecoding,
    SamplingConfig,
)
from tfcap.config.encoder import (
    CustomModelConfig,
    EncoderSettings,
    NetworkConfig,
    PreprocessingConfig,
    PresetConfig,
)
from tfcap.config.experiment import Config, RecipeOfRecords
from tfcap.config.loading import override, parse_config
from tfcap.config.model import (
    AttentionConfig,
    ImageFeatureSettings,
    MergeConfig,
    TransformerConfig,
)
from tfcap.config.records import RecordsConfig
from tfcap.config.saved import load_saved, parse_recipe, save_config
from tfcap.config.serving import ServingConfig
from tfcap.config.training import (
    FineTuningConfig,
    ScheduleConfig,
    SelfCriticalConfig,
    TrainingConfig,
)

CELLS = """components positions pooled_cell pooled_words flip embedding_units tied heads
image_dropout text_dropout word_dropout hidden_dropout output_dropout"""
# The keys that every saved configuration has which has the section at all.
FIRST = {
    RecipeOfRecords: "encoder tokenizer records",
    Config: "encoder tokenizer records model training decoding",
    **dict.fromkeys(
        [EncoderSettings, NetworkConfig, CustomModelConfig, PresetConfig],
        "name weights layer pooling input_size seed",
    ),
    PreprocessingConfig: """scaling mean deviation resize interpolation antialias
    rounded""",
    RecordsConfig: "dtype photos_per_shard keep_photos encoder_batch",
    MergeConfig: """name standardize image_units embedding_units glove lstm_units
    embedding_trainable image_dropout text_dropout output_dropout""",
    ImageFeatureSettings: CELLS,
    AttentionConfig: f"{CELLS} name lstm_units attention_units output_units",
    TransformerConfig: f"{CELLS} name layers feed_forward_units",
    TrainingConfig: """expansion global_batch epochs strategy seed schedule clip_norm
    label_smoothing patience shuffle_photos checkpoint_steps log_steps""",
    ScheduleConfig: "kind rate warmup_steps final_fraction steps",
    SelfCriticalConfig: "samples baseline dropout",
    FineTuningConfig: "rate from_layer flip crop",
    DecodingConfig: "beam_width length_exponent max_length",
    ResolvedDecoding: "beam_width length_exponent max_length",
    SamplingConfig: "temperature top_p seed",
    ConsensusConfig: "weight",
    RegressionConfig: "weight width ridge",
}
NOT_SAVED = {ServingConfig}
# Of a work directory of the first version, as it was saved.
OLDEST = """
encoder: {name: mobilenet, weights: imagenet, layer: null, pooling: grid,
  input_size: null, seed: 3}
tokenizer: {kind: word, min_letters: 1, min_count: 5, oov: unk}
records: {dtype: float16, photos_per_shard: 512, keep_photos: false, encoder_batch: 32}
model: {name: merge, standardize: true, image_units: 8, embedding_units: 4,
  glove: null, embedding_trainable: true, lstm_units: 8, image_dropout: 0.5,
  text_dropout: 0.5, output_dropout: 0.0}
training: {expansion: prefix, global_batch: 64, epochs: 20, strategy: auto, seed: 0,
  schedule: {kind: step, rate: 0.001, warmup_steps: 0, final_fraction: 0.01,
    steps: [[3, 0.0001]]},
  clip_norm: null, label_smoothing: 0.0, patience: null, shuffle_photos: 4096,
  checkpoint_steps: 500, log_steps: 10}
decoding: {beam_width: 3, length_exponent: 1.0, max_length: 34}
"""


def sections(of=Section) -> set[type[Section]]:
    subclasses = of.__subclasses__()
    return {
        *subclasses,
        *(section_of for section in subclasses for section_of in sections(section)),
    }


@pytest.fixture
def saved(tmp_path) -> Path:
    path = tmp_path / "config.yaml"
    save_config(Config(), str(path))
    return path


@pytest.mark.parametrize("section", sorted(FIRST, key=str), ids=lambda s: s.__name__)
def test_every_key_is_of_the_first_or_says_what_was_before(section):
    """Of a new key, `came_later` must say what does as was done without it."""
    assert sorted(section.model_fields) == sorted(
        [*FIRST[section].split(), *section.came_later]
    )


def test_no_section_is_left_out():
    assert sections() == {*FIRST, *NOT_SAVED}


def test_what_is_saved_is_read_again(saved):
    config = parse_config(
        {"training": {"schedule": {"kind": "step", "steps": [[2, 0.1]]}},
         "decoding": {"with_words": ["dog"], "consensus": {"regression": {}}}},
        "test",
    )  # fmt: skip
    assert load_saved(str(saved)) == Config()
    save_config(config, str(saved))
    assert load_saved(str(saved)) == config
    assert saved.read_text().startswith("format: 1\n")


def test_the_oldest_keeps_what_it_did(saved):
    saved.write_text(OLDEST)
    config = load_saved(str(saved))
    read = config.model_dump()
    for name, section in yaml.safe_load(OLDEST).items():
        for key in section:
            assert key in read[name]
    assert config.training.shuffle_photos == 4096
    assert config.decoding.max_length == 34
    assert config.training.schedule.steps == [(3, 0.0001)]
    assert (config.training.precision, config.training.keep_checkpoints) == (
        "float32",
        2,
    )
    assert config.training.score_photos == 0  # a new run scores some
    content = yaml.safe_load(OLDEST)
    content["training"]["score_photos"] = 0
    assert config == parse_config(content, "today's defaults")


@pytest.mark.parametrize("value", [2, 5])
def test_what_came_later_is_not_the_default_but_what_was_before(
    saved, monkeypatch, value
):
    monkeypatch.setitem(DecodingConfig.came_later, "min_length", value)
    saved.write_text(OLDEST)
    assert load_saved(str(saved)).decoding.min_length == value
    assert Config().decoding.min_length == 2
    saved.write_text(OLDEST.replace("34}", "34, min_length: 3}"))
    assert load_saved(str(saved)).decoding.min_length == 3


def test_a_configuration_of_a_person_need_not_be_whole():
    assert parse_config({"decoding": {"beam_width": 5}}, "test").training.epochs == 20
    changed = override(Config(), ["decoding.sampling.temperature=2"], "test")
    assert changed.decoding.sampling.top_p == 1.0


def test_keys_that_have_gone(saved):
    text = OLDEST.replace("34}", "34, mirror: false, consensus: {weight: 0.1, %s}}")
    saved.write_text(text % "neighbours: null")
    assert load_saved(str(saved)).decoding.consensus == ConsensusConfig()
    saved.write_text(text % "neighbours: {count: 20}")
    message = r"decoding\.consensus\.neighbours is a key of an earlier .* take it out"
    with pytest.raises(UserError, match=message):
        load_saved(str(saved))
    text = OLDEST.replace("strategy: auto,", "strategy: auto, data_service: %s,")
    saved.write_text(text % "null")
    assert load_saved(str(saved)).training.strategy == "auto"
    saved.write_text(text % "grpc://host:5000")
    message = r"training\.data_service is a key of an earlier .* take it out"
    with pytest.raises(UserError, match=message):
        load_saved(str(saved))
    with pytest.raises(UserError, match=message):
        override(Config(), ["training.data_service=grpc://host:5000"], "test")
    saved.write_text("decoding: null")
    with pytest.raises(UserError, match="damaged or was edited"):
        load_saved(str(saved))


NEWER = r"install a newer tfcap, or put it back as it was$"
EDITED = r"\. It is damaged or was edited: put it back as it was$"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("format: 1", "format: 2", r" was written by a newer tfcap \(format 2, this "),
        ("format: 1", "format: 2\ncolour: 1", r" was written by a newer tfcap \(for"),
        ("format: 1", "format: one", f": its format is 'one'{EDITED}"),
        ("format: 1", "format: 0", f": its format is 0{EDITED}"),
        ("format: 1", "colour: 1", rf": unknown key 'colour'.*\. A newer .*{NEWER}"),
        ("  epochs:", "  epoch:", rf": unknown key 'training.epoch'; .*{NEWER}"),
        ("name: merge", "name: rnn", rf": model.name: .*'rnn'\. A newer .*{NEWER}"),
        ("oov: unk", "oov: bytes", rf": tokenizer.oov: .*'bytes'\. A newer .*{NEWER}"),
        ("  epochs: 20\n", "", f": training: the key 'epochs' is missing{EDITED}"),
        ("epochs: 20", "epochs: many", f": training.epochs: .*'many'{EDITED}"),
        ("epochs: 20", "epochs: 2020-01-01", f": training.epochs: .*{EDITED}"),
        ("...\n", "", f": its end, '...', is missing{EDITED}"),
        ("epochs: 20", "epochs: [", f" is not YAML: .*{EDITED}"),
        ("epochs: 20", "epochs: \0", f" is not YAML: .*{EDITED}"),
    ],
    ids=range(14),
)
def test_another_version_an_unknown_key_and_damage(saved, old, new, message):
    text = saved.read_text()
    assert old in text
    saved.write_text(text.replace(old, new))
    with pytest.raises(UserError, match=rf"^{saved}{message}"):
        load_saved(str(saved))


def test_one_that_was_cut_short_is_never_read(saved):
    text = saved.read_text().rstrip()
    for end in range(len(text) - 1, 0, -17):
        saved.write_text(text[:end])
        with pytest.raises(UserError):
            load_saved(str(saved))


def test_one_that_cannot_be_read(tmp_path):
    with pytest.raises(UserError, match=f"^cannot read {tmp_path}/no: No such file"):
        load_saved(str(tmp_path / "no"))


def test_how_records_were_made():
    whole = Config().model_dump(mode="json")
    recipe = parse_recipe({**whole, "training": {"of": "a newer version"}}, "test")
    assert recipe == RecipeOfRecords()
    whole["encoder"].pop("crops")
    assert parse_recipe(whole, "test").encoder.crops == 1
    for section, key in (("encoder", "pooling"), ("records", "dtype")):
        broken = {**whole, section: {**whole[section]}}
        del broken[section][key]
        with pytest.raises(UserError, match=f"{section}: the key '{key}' is missing"):
            parse_recipe(broken, "test")
    whole["encoder"]["colour"] = 1
    with pytest.raises(UserError, match=r"test: unknown key 'encoder.colour'; .*newer"):
        parse_recipe(whole, "test")
