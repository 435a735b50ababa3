"""The encoder trained along: its weights, resume, replicas, scores, export."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from test_trainer import SLOW, assert_same_state, run, stop_at, use_replicas

from records.errors import UserError
from records.format.record_set import RecordSet
from records.format.schema import FeatureSpec
from tfcap.config.decoding import ResolvedDecoding
from tfcap.config.experiment import Config
from tfcap.config.loading import parse_config
from tfcap.data.features import FeatureSource
from tfcap.data.pipeline import training_batches
from tfcap.decoding.kernel_regression import View, mean_features
from tfcap.encoders import load_encoder
from tfcap.evaluation.evaluator import evaluate
from tfcap.export import model_card
from tfcap.export.builder import photo_captioner
from tfcap.export.saved_model import export
from tfcap.images.decoding import read_photo
from tfcap.inference.captioner import Captioner
from tfcap.runs.ensemble import feature_sources, open_members
from tfcap.runs.workdir import Workdir
from tfcap.training.dev_scores import DevScores
from tfcap.training.sample_captions import choose
from tfcap.training.trainer import Trainer

CONSTANT = {"kind": "constant", "rate": 0.01}
SIZES = {"train": 21, "dev": 7}


def save_network(folder: Path, seed: int = 0) -> str:
    """A network of two convolutions, from [32, 32, 3] to [2, 2, 8]."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input([32, 32, 3]),
            layers.Conv2D(8, 5, 4, "same", name="early"),
            layers.BatchNormalization(name="early_norm"),
            layers.ReLU(),
            layers.Conv2D(8, 3, 4, "same", name="late"),
            layers.BatchNormalization(name="late_norm"),
        ]
    )
    folder.mkdir(exist_ok=True)
    network.save(folder / "own.keras")
    return str(folder / "own.keras")


def settings(model: str, fine_tuning: dict | None, **training) -> Config:
    """A small run, with the encoder in that file."""
    training = {
        "global_batch": 8,
        "epochs": 2,
        "expansion": "causal",
        "strategy": "cpu",
        "seed": 1,
        "log_steps": 1,
        "score_photos": 0,
        "schedule": CONSTANT,
        "fine_tuning": fine_tuning,
        **training,
    }
    units = {"image_units": 8, "lstm_units": 8, "embedding_units": 4}
    return parse_config(
        {
            "encoder": {"model": model, "preprocessing": "tf"},
            "records": {"keep_photos": True},
            "model": units,
            "training": training,
            "decoding": {"beam_width": 2},
        },
        "test",
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("tuned")


@pytest.fixture(scope="module")
def model(folder) -> str:
    return save_network(folder)


@pytest.fixture(scope="module")
def keep(folder, write_records):
    """Returns the function that writes records of a configuration's encoder."""

    def write(config: Config, name: str) -> RecordSet:
        encoder = load_encoder(config.encoder)
        spec = FeatureSpec(shape=encoder.shape, dtype="float32")
        return write_records(folder / name, SIZES, spec, config, encoder.info)

    return write


@pytest.fixture(scope="module")
def records(keep, model) -> RecordSet:
    return keep(settings(model, None), "records")


@pytest.fixture(scope="module")
def trained(folder, records, model) -> Workdir:
    """A run in which the captioner all but stands still."""
    still = {"kind": "constant", "rate": 1e-7}
    config = settings(model, {"rate": 0.01}, epochs=3, global_batch=4, schedule=still)
    run(config, records, folder / "run")
    return Workdir.open(str(folder / "run"))


@pytest.fixture
def trainer(records, model, tmp_path):
    """Returns the function that begins a run."""
    return lambda *options, **training: Trainer(
        settings(model, *options, **training), records, str(tmp_path / "new")
    )


def weights_of(encoder) -> dict[str, np.ndarray]:
    return {variable.path: variable.numpy() for variable in encoder.model.variables}


def test_the_loss_falls_by_the_encoder_alone(trained, loss_curve):
    losses = loss_curve(trained.path, "dev")
    assert losses[-1] < losses[0] - 0.05


def test_one_step(records, trainer):
    late = trainer({"rate": 1e-4, "from_layer": "late"})
    encoder, variables = late.model.encoder, late.model.trainable_variables
    before = weights_of(encoder), [variable.numpy() for variable in variables]
    late.train_step(iter(training_batches(records, late.settings, 0)))
    late.state.vectors.spread()
    # Of the encoder, what comes from the layer on changes, and no statistics.
    after = weights_of(encoder)
    changed = {name for name in after if (after[name] != before[0][name]).any()}
    assert changed == {"late/kernel", "late/bias", "late_norm/gamma", "late_norm/beta"}
    # The first step of Adam is as long as the rate.
    steps = [np.abs(v.numpy() - b).max() for v, b in zip(variables, before[1])]
    tuned = len(encoder.trainable_variables)
    np.testing.assert_allclose(steps[-tuned:], 1e-4, rtol=0.05)
    np.testing.assert_allclose(steps[:-tuned], 1e-2, rtol=0.05)


def test_a_resumed_run_ends_as_an_uninterrupted_one(
    records, model, tmp_path, monkeypatch
):
    more = {"average_decay": 0.9, "accumulate": 2}
    config = settings(model, {"rate": 0.001, "from_layer": "late"}, **more)
    whole = run(config, records, tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_at(patch, 4)
        run(config, records, tmp_path / "parts")
    second = run(config, records, tmp_path / "parts")
    assert second.outcome == whole.outcome and whole.outcome.steps == 6
    assert_same_state(second, whole)


@SLOW
def test_replicas_train_as_one(records, model, tmp_path, monkeypatch, loss_curve):
    # The last step is short: one replica has no photo.
    config = settings(model, {"rate": 0.001}, epochs=1, global_batch=20)
    still = config.model.model_copy(update={"image_dropout": 0.0, "text_dropout": 0.0})
    config = config.model_copy(update={"model": still})
    single = run(config, records, tmp_path / "one")
    use_replicas(monkeypatch, 2)
    two = run(config, records, tmp_path / "two")
    losses, others = (loss_curve(tmp_path / n, "train") for n in ("one", "two"))
    np.testing.assert_allclose(others, losses, rtol=1e-5)
    ours, theirs = (weights_of(trainer.model.encoder) for trainer in (single, two))
    for name in ours:
        np.testing.assert_allclose(theirs[name], ours[name], rtol=1e-3, atol=1e-5)


def test_scores_and_export_are_of_the_tuned_encoder(records, trained, tmp_path):
    model, _ = trained.restore_best()
    (source,) = feature_sources(model, [records])
    ((ids, features),) = source.batches("dev", 100)
    kept = {r.photo_id: r.encoded for r in choose(records, "dev", 7, 0)}
    photos = [kept[name] for name in ids]
    pixels = tf.stack([read_photo(tf.constant(photo), 32) for photo in photos])
    np.testing.assert_allclose(
        features, model.encoder.encode(pixels), rtol=1e-4, atol=1e-4
    )
    untouched, _ = load_encoder(trained.config.encoder).encode(photos)
    assert np.abs(features - untouched).max() > 0.01

    decoding = trained.config.decoding
    result = evaluate([trained], [records], "dev", decoding)
    assert result.settings["encoders"][0]["weights"] == "own.keras, fine-tuned"
    assert source.info.digest != records.manifest.encoder.digest
    path = export(photo_captioner([trained], decoding), str(tmp_path / "export"))
    for name, captioned in zip(ids, Captioner(path).caption(photos), strict=True):
        assert captioned.caption == result.captions[name]
        assert captioned.score == pytest.approx(result.likelihoods[name], abs=1e-4)
    card = model_card.describe([trained], decoding)
    assert "trained further with the captioner" in card


def test_scores_of_dev_photos_are_of_the_tuned_encoder(records, trained):
    model, _ = trained.restore_best()
    training = trained.config.training.model_copy(update={"score_photos": 7})
    config = trained.config.model_copy(update={"training": training})
    scores = DevScores(model, records, config).compute()
    decoding = trained.config.decoding.model_copy(update={"beam_width": 1})
    expected = evaluate([trained], [records], "dev", decoding).scores.corpus
    assert scores == pytest.approx({name: expected[name] for name in scores})


def test_the_captioner_may_come_from_a_run_without(records, model, write_run, trainer):
    plain = write_run(records, seed=3)
    source, _ = plain.restore_best()
    new = trainer({}, init=plain.path)
    for value, other in zip(new.model.variables, source.variables):
        np.testing.assert_array_equal(value.numpy(), other.numpy())
    first = keras.saving.load_model(model).get_weights()
    for value, other in zip(new.model.encoder.model.get_weights(), first, strict=True):
        np.testing.assert_array_equal(value, other)


def test_both_may_come_from_a_run_with(trained, trainer):
    source, _ = trained.restore_best()
    second = trainer({"from_layer": "late"}, init=trained.path)
    for value, other in zip(
        second.model.get_weights(), source.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(value, other)


def test_a_tuned_captioner_cannot_do_with_features(trained, trainer):
    with pytest.raises(UserError, match="was trained with its encoder and cannot read"):
        trainer(None, init=trained.path)


def test_training_photos_are_seen_by_the_tuned_encoder(trained, records, monkeypatch):
    decoding = ResolvedDecoding.model_validate(
        {"beam_width": 3, "max_length": 8, "consensus": {"regression": {}}}
    )
    used, of = [], View.of
    monkeypatch.setattr(View, "of", lambda means: used.append(means) or of(means))
    result = evaluate([trained], [records], "dev", decoding)
    captioner = photo_captioner([trained], decoding, records=records.directory)
    [means] = mean_features(
        feature_sources(trained.restore_best()[0], [records]), "train"
    )
    [stored] = mean_features([FeatureSource(records)], "train")
    assert means.shape == stored.shape == (SIZES["train"], 8)
    assert np.abs(means - stored).max() > 1e-3
    assert len(used) == 2
    for view in used:
        np.testing.assert_allclose(view, means, rtol=1e-4, atol=1e-6)
    kept = {photo.photo_id: photo.encoded for photo in choose(records, "dev", 7, 0)}
    written = captioner.serve(tf.constant(list(kept.values())))["caption"].numpy()
    assert [text.decode() for text in written] == [result.captions[n] for n in kept]


def test_records_without_photos(keep, model, trained, tmp_path):
    config = settings(model, None)
    without = keep(config.model_copy(update={"records": Config().records}), "without")
    message = r"without hold only their features; build .* records.keep_photos=true"
    with pytest.raises(UserError, match=message):
        Trainer(settings(model, {}), without, str(tmp_path / "new"))
    with pytest.raises(UserError, match=message):
        evaluate([trained], [without], "dev", trained.config.decoding)


def test_a_layer_that_is_not_there(trainer):
    with pytest.raises(UserError, match=r"no layer 'lat'; near it: late"):
        trainer({"from_layer": "lat"})


def test_another_encoder_than_that_of_the_records(records, tmp_path):
    config = settings(save_network(tmp_path, seed=1), {})
    with pytest.raises(UserError, match=r"is not what the records were made with"):
        Trainer(config, records, str(tmp_path / "new"))


def test_a_saved_model_is_not_trained(keep, model, tmp_path):
    keras.saving.load_model(model).export(str(tmp_path / "saved"), verbose=False)
    config = settings(str(tmp_path / "saved"), {})
    with pytest.raises(UserError, match="saved is a SavedModel, whose graph is not"):
        Trainer(config, keep(config, "of_saved"), str(tmp_path / "new"))


def test_tuned_encoders_share_no_export(trained, records, tmp_path):
    other = Workdir(str(tmp_path), trained.config, records.manifest, trained.vocabulary)
    other.write()
    with pytest.raises(UserError, match=r"of one encoder: .*fine-tuned in .*run, "):
        open_members([trained.path, other.path])
    assert open_members([trained.path, other.path], one_encoder=False)
