"""The training loop: resume, replicas, early stop, signals."""

import signal

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from records.errors import UserError
from tfcap.config.experiment import Config
from tfcap.config.loading import parse_config
from tfcap.runs.workdir import Workdir
from tfcap.training.distributed.strategies import mirrored
from tfcap.training.trainer import Trainer


def settings(**training) -> Config:
    training = {
        "global_batch": 8,
        "epochs": 3,
        "expansion": "causal",
        "strategy": "cpu",
        "seed": 1,
        "log_steps": 1,
        "score_photos": 0,  # each search takes a second to trace
        "clip_norm": 1.0,
        "schedule": {"kind": "constant", "rate": 0.01},
        **training,
    }
    units = {"image_units": 8, "lstm_units": 8, "embedding_units": 5}
    return parse_config({"model": units, "training": training}, "test")


def without_dropout(config: Config) -> Config:
    model = config.model.model_copy(update={"image_dropout": 0.0, "text_dropout": 0.0})
    return config.model_copy(update={"model": model})


def run(config, records, workdir) -> Trainer:
    trainer = Trainer(config, records, str(workdir))
    trainer.outcome = trainer.run()
    return trainer


def assert_same_state(first: Trainer, other: Trainer) -> None:
    for a, b in zip(first.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(first.optimizer.variables, other.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    if first.state.average:
        averages = (trainer.state.average.averages for trainer in (first, other))
        for a, b in zip(*averages, strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())


def use_replicas(monkeypatch, replicas: int) -> None:
    """Makes every strategy a mirrored one over this number of logical CPUs."""
    devices = tf.config.list_logical_devices("CPU")[:replicas]
    monkeypatch.setattr(
        "tfcap.training.trainer.make_strategy", lambda *_: mirrored(devices)
    )


def stop_at(monkeypatch, step: int, number=signal.SIGTERM) -> None:
    """Sends this process a signal right after a step."""
    original = Trainer.flush_metrics

    def flush_metrics(self):
        original(self)
        if self.steps == step:
            signal.raise_signal(number)

    monkeypatch.setattr(Trainer, "flush_metrics", flush_metrics)


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("expansion", "replicas", "stopped_after"),
    [
        ("causal", 1, 2),
        ("causal", 1, 3),
        ("prefix", 1, 4),
        pytest.param("causal", 2, 4, marks=SLOW),
    ],
)
def test_a_resumed_run_ends_as_an_uninterrupted_one(
    make_records, tmp_path, monkeypatch, expansion, replicas, stopped_after
):
    # 21 photos, 8 a step: 3 steps an epoch, the last one short. Stopped in the middle
    # of the first or of the second epoch, or between the two, dropout on.
    records = make_records()
    use_replicas(monkeypatch, replicas)
    config = settings(expansion=expansion, epochs=2)
    whole = run(config, records, tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_at(patch, stopped_after)
        first = run(config, records, tmp_path / "parts")
    assert first.outcome.stopped == signal.SIGTERM
    assert first.outcome.steps < whole.outcome.steps == 6
    second = run(config, records, tmp_path / "parts")
    assert second.outcome == whole.outcome
    assert_same_state(second, whole)


@SLOW
def test_loss_scale_and_averages_are_resumed_as_well(
    make_records, tmp_path, monkeypatch
):
    records = make_records()
    more = {"precision": "mixed_float16", "average_decay": 0.9, "accumulate": 2}
    config = settings(epochs=2, **more)
    whole = run(config, records, tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_at(patch, 4)
        run(config, records, tmp_path / "parts")
    second = run(config, records, tmp_path / "parts")
    assert second.optimizer.step_counter.numpy() == 6
    assert second.outcome == whole.outcome
    assert_same_state(second, whole)


def test_what_is_scored_and_kept_as_best_is_the_average(make_records, tmp_path):
    records = make_records()
    config = settings(epochs=1, average_decay=0.9)
    trainer = run(config, records, tmp_path / "run")
    model, epoch = Workdir.open(str(tmp_path / "run")).restore_best()
    assert epoch == 1
    unaveraged = [variable.numpy() for variable in trainer.state.weights]
    with trainer.state.averaged():
        assert trainer.dev_loss() == pytest.approx(trainer.outcome.best_loss)
        averages = [variable.numpy() for variable in trainer.state.weights]
    for best, average in zip(model.trainable_variables, averages, strict=True):
        np.testing.assert_array_equal(best.numpy(), average)
    assert not all(np.array_equal(a, b) for a, b in zip(unaveraged, averages))


def test_the_same_command_again_after_the_end_changes_nothing(make_records, tmp_path):
    records, config = make_records(), settings(epochs=1)
    first = run(config, records, tmp_path / "run")
    second = run(config, records, tmp_path / "run")
    assert second.outcome == first.outcome
    assert_same_state(first, second)


@pytest.mark.parametrize(
    ("expansion", "replicas"),
    [
        ("causal", 2),
        pytest.param("prefix", 4, marks=SLOW),
    ],
)
def test_replicas_train_as_one(
    make_records, tmp_path, expansion, replicas, monkeypatch, loss_curve
):
    records = make_records()
    config = settings(expansion=expansion, epochs=2)
    single = run(config, records, tmp_path / "one")
    use_replicas(monkeypatch, replicas)
    several = run(config, records, tmp_path / "several")
    assert several.strategy.num_replicas_in_sync == replicas
    for kind, points in (("train", 6), ("dev", 2)):
        losses, others = (loss_curve(tmp_path / n, kind) for n in ("one", "several"))
        assert len(losses) == points
        np.testing.assert_allclose(others, losses, rtol=1e-5)
    for a, b in zip(
        single.model.get_weights(), several.model.get_weights(), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_both_expansions_train_alike(make_records, tmp_path):
    records = make_records()
    losses = [
        run(
            without_dropout(settings(expansion=expansion)),
            records,
            tmp_path / expansion,
        ).outcome.best_loss
        for expansion in ("prefix", "causal")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_it_learns(make_records, tmp_path):
    records = make_records({"train": 64, "dev": 8})
    config = without_dropout(settings(epochs=20))
    outcome = run(config, records, tmp_path / "run").outcome
    # Eight kinds of photo, each with a long and a short caption: which of the two
    # comes cannot be known, log(2) over nine tokens.
    assert outcome.best_loss < 0.5
    assert outcome.epochs == 20


def test_it_stops_early_and_keeps_the_best(make_records, tmp_path):
    records = make_records()
    # A rate at which the loss soon rises.
    config = settings(epochs=30, patience=2, schedule={"kind": "constant", "rate": 1.0})
    trainer = run(config, records, tmp_path / "run")
    assert trainer.outcome.epochs == trainer.outcome.best_epoch + 2 < 30
    model, epoch = Workdir.open(str(tmp_path / "run")).restore_best()
    assert epoch == trainer.outcome.best_epoch
    trainer.model.set_weights(model.get_weights())
    assert trainer.dev_loss() == pytest.approx(trainer.outcome.best_loss)


def test_more_epochs_may_be_asked_for(make_records, tmp_path):
    records = make_records()
    run(settings(epochs=1), records, tmp_path / "run")
    longer = run(settings(epochs=2), records, tmp_path / "run")
    assert_same_state(longer, run(settings(epochs=2), records, tmp_path / "other"))


def test_how_many_epochs_are_read_as_one_data_set_makes_no_difference(
    make_records, tmp_path, monkeypatch
):
    records = make_records()
    whole = run(settings(epochs=5), records, tmp_path / "one")
    monkeypatch.setattr("tfcap.training.trainer.EPOCHS_AT_ONCE", 2)
    assert_same_state(whole, run(settings(epochs=5), records, tmp_path / "other"))


def test_the_step_is_traced_once(make_records, tmp_path):
    trainer = run(settings(), make_records(), tmp_path / "run")
    assert trainer.train_step.experimental_get_tracing_count() == 1
    assert trainer.score_step.experimental_get_tracing_count() == 1


TAGS = {
    "train": {
        "loss",
        "learning_rate",
        "gradient_norm",
        "loss_scale",
        "rows_per_second",
        "input_wait",
    },
    "dev": {"loss", "captions", "photos/dev3.jpg"},
}


def test_curves_and_sample_captions_are_written(make_records, tmp_path):
    for name in ("dev3.jpg", "other.jpg"):
        Image.new("RGB", (30, 20)).save(tmp_path / name)
    trainer = Trainer(
        settings(), make_records({"train": 21, "dev": 4}), str(tmp_path / "run"),
        photos=str(tmp_path),
    )  # fmt: skip
    trainer.run()
    for kind, tags in TAGS.items():
        (events,) = (tmp_path / "run/tensorboard" / kind).iterdir()
        values = [
            value
            for event in tf.compat.v1.train.summary_iterator(str(events))
            for value in event.summary.value
        ]
        assert {value.tag for value in values} == tags
        waits = [v for v in values if v.tag == "input_wait"]
        assert all(0 <= tf.make_ndarray(v.tensor) <= 1 for v in waits)
        assert sum(value.tag == "loss" for value in values) in (3, 9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 2}, "training.seed: 1; this command has 2"),
        (
            {"schedule": {"kind": "constant", "rate": 0.5}},
            "schedule.rate: 0.01; .* 0.5",
        ),
        ({"expansion": "prefix"}, "training.expansion: 'causal'; .* 'prefix'"),
    ],
)
def test_a_work_directory_of_other_settings(make_records, tmp_path, change, message):
    records = make_records()
    run(settings(epochs=1), records, tmp_path / "run")
    with pytest.raises(UserError, match=message):
        Trainer(settings(epochs=1, **change), records, str(tmp_path / "run"))


def test_a_work_directory_of_other_records(make_records, tmp_path):
    run(settings(epochs=1), make_records(), tmp_path / "run")
    other = make_records({"train": 20, "dev": 7}, name="other")
    with pytest.raises(UserError, match=r"other records than .*lists other shards"):
        Trainer(settings(epochs=1), other, str(tmp_path / "run"))


def test_records_of_another_encoder_than_the_configuration(make_records, tmp_path):
    config = parse_config({"encoder": {"layer": "mixed8"}}, "test")
    with pytest.raises(UserError, match=r"encoder.layer: null, but .* says 'mixed8'"):
        Trainer(config, make_records(), str(tmp_path / "run"))


def test_records_without_a_dev_split(make_records, tmp_path):
    with pytest.raises(UserError, match="no photo in split 'dev'; it has 9 in train"):
        Trainer(settings(), make_records({"train": 9, "dev": 0}), str(tmp_path / "run"))
