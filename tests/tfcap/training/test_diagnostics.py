"""What a run says when it breaks off: damaged records, a loss that is no number."""

import dataclasses
import json
import os

import numpy as np
import pytest
import tensorflow as tf

from records.__main__ import main as records_command
from records.errors import UserError
from records.format import schema
from records.format.record_set import RecordSet, read_shard
from records.format.schema import FeatureSpec
from tfcap.config.experiment import Config
from tfcap.config.loading import parse_config
from tfcap.config.training import SelfCriticalConfig
from tfcap.data.pipeline import training_batches
from tfcap.training.diagnostics import (
    find_damage,
    listed,
    photos_of_step,
    remedy_of_memory,
)
from tfcap.training.trainer import Trainer

SPEC = FeatureSpec(shape=(4,), dtype="float32")


@pytest.fixture
def config() -> Config:
    training = {
        "global_batch": 8,
        "epochs": 2,
        "expansion": "causal",
        "strategy": "cpu",
        "checkpoint_steps": 1,
        "log_steps": 3,
        "score_photos": 0,
        "shuffle_photos": 4,  # so that reading goes on in the middle of training
    }
    units = {"image_units": 8, "lstm_units": 8, "embedding_units": 5}
    return parse_config({"model": units, "training": training}, "test")


def damage(path: str) -> None:
    """Flips a bit of the shard's last record."""
    with open(path, "r+b") as file:
        file.seek(-30, os.SEEK_END)
        (byte,) = file.read(1)
        file.seek(-30, os.SEEK_END)
        file.write(bytes([byte ^ 1]))


def truncate(path: str) -> None:
    os.truncate(path, os.path.getsize(path) - 10)


def cut_off_a_record(path: str) -> None:
    kept = list(read_shard(path))[:-1]
    with tf.io.TFRecordWriter(path) as writer:
        for record in kept:
            writer.write(record)


def verdict(directory: str, capsys) -> list[tuple[str, int | None]]:
    """(shard, record) of all that `tfcap verify` finds."""
    capsys.readouterr()
    assert records_command(["verify", directory, "--json"]) == 1
    problems = json.loads(capsys.readouterr().out)["problems"]
    return [(problem["file"], problem["record"]) for problem in problems]


@pytest.mark.parametrize("harm", [damage, truncate])
def test_a_shard_damaged_while_training(make_records, config, tmp_path, capsys, harm):
    records = make_records({"train": 40, "dev": 7})
    trainer = Trainer(config, records, str(tmp_path / "run"))
    (shard, last) = max(
        (os.path.basename(path), len(list(read_shard(path))) - 1)
        for path in records.shard_paths("train")
    )
    harm(os.path.join(records.directory, shard))
    with pytest.raises(UserError) as error:
        trainer.run()
    assert f"{shard}: record {last}: " in str(error.value)
    assert "the state is saved" in str(error.value)
    assert (shard, last) in verdict(records.directory, capsys)
    assert trainer.last.newest() is not None
    assert int(trainer.progress.epoch) == 0
    # The step whose batch could not be read has changed nothing.
    assert int(trainer.optimizer.iterations.numpy()) == trainer.steps


def test_a_shard_that_ends_early_but_whole(make_records, config, tmp_path):
    records = make_records()
    trainer = Trainer(config, records, str(tmp_path / "run"))
    cut_off_a_record(records.shard_paths("train")[0])
    with pytest.raises(
        UserError, match=r"shard .*train-00000-of-0000\d.tfrecord has \d+ bytes; the"
    ):
        trainer.run()


def test_records_that_are_whole_are_not_blamed(make_records):
    assert find_damage(make_records(), ("train", "dev")) is None


def spoil(records: RecordSet, photo_id: str) -> None:
    """Makes one photo's features no numbers."""
    for path in records.shard_paths("train"):
        read = [schema.decode(r, SPEC) for r in read_shard(path)]
        with tf.io.TFRecordWriter(path) as writer:
            for record in read:
                if record.photo_id == photo_id:
                    nothing = np.full(4, np.nan, np.float32)
                    record = dataclasses.replace(record, features=nothing)
                writer.write(schema.encode(record))


def test_a_loss_that_is_no_number_names_step_photos_and_last_good_state(
    make_records, config, tmp_path
):
    records = make_records()
    trainer = Trainer(config, records, str(tmp_path / "run"))
    # In the second of three steps; losses are fetched after the third.
    bad, *others = photos_of_step(records, config.training, 0, 1)
    spoil(records, bad)
    trainer.settings = config.training.model_copy(update={"checkpoint_steps": 100})
    trainer.save()
    with pytest.raises(UserError) as error:
        trainer.run()
    message = str(error.value)
    # Relu makes 0 of what is no number: the loss alone would not tell.
    assert "the gradient norm nan at step 2 (epoch 1, step 2 of 3)" in message
    assert all(photo in message for photo in others)
    assert f"Features that are not finite: {bad};" in message
    assert "tfcap verify" in message
    assert f"the last good state is {trainer.last.path(1)}" in message
    assert trainer.last.finished() == [1]
    resumed = Trainer(config, records, str(tmp_path / "run"))
    assert resumed.steps == 0
    assert all(np.isfinite(weight).all() for weight in resumed.model.get_weights())


def test_a_rate_that_is_too_high_is_told_to_be_lowered(make_records, config, tmp_path):
    schedule = config.training.schedule.model_copy(update={"rate": 1e38})
    training = config.training.model_copy(update={"schedule": schedule})
    trainer = Trainer(
        config.model_copy(update={"training": training}),
        make_records(),
        str(tmp_path / "run"),
    )
    with pytest.raises(UserError, match=r"Lower training\.schedule\.rate or set"):
        trainer.run()


def test_photos_of_a_step_are_those_that_were_trained_on(make_records, config):
    records = make_records()
    spec = records.manifest.features
    features = {
        record.photo_id: record.features
        for path in records.shard_paths("train")
        for record in (schema.decode(r, spec) for r in read_shard(path))
    }
    for epoch in range(2):
        batches = training_batches(records, config.training, epoch)
        for number, batch in enumerate(batches):
            photos = photos_of_step(records, config.training, epoch, number)
            expected = np.stack([features[photo] for photo in photos])
            np.testing.assert_array_equal(batch["features"], expected)
        assert number == 2


def test_long_lists_are_cut():
    assert listed(["a", "b"]) == "a, b"
    assert listed([str(i) for i in range(70)]).endswith("62, 63 and 6 more")


@pytest.mark.parametrize(
    ("expansion", "start"),
    [
        ("prefix", "set training.expansion=causal, the same objective"),
        ("causal", "lower training.global_batch; or cut it into parts by training.ac"),
    ],
)
def test_out_of_memory_names_what_saves_most_first(config, expansion, start):
    settings = config.training.model_copy(
        update={"expansion": expansion, "accumulate": 2}
    )
    remedy = remedy_of_memory(settings)
    assert remedy.startswith(start)
    assert remedy.endswith("training.accumulate=4")


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"jit_compile": True}, "lower training.global_batch"),
        (
            {"self_critical": SelfCriticalConfig()},
            "lower training.self_critical.samples; or lower training.global_batch; "
            "or cut it into parts by training.accumulate=2",
        ),
    ],
)
def test_out_of_memory_names_nothing_that_would_be_refused(config, changes, remedy):
    assert remedy_of_memory(config.training.model_copy(update=changes)) == remedy


@pytest.mark.parametrize(
    "error",
    [
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating"),
        MemoryError(),
    ],
)
def test_a_step_that_does_not_fit_into_memory(config, make_records, tmp_path, error):
    settings = config.training.model_copy(update={"expansion": "prefix"})
    trainer = Trainer(
        config.model_copy(update={"training": settings}),
        make_records({"train": 8, "dev": 8}),
        str(tmp_path / "run"),
    )

    def step(_):
        raise error

    trainer.train_step = step
    with pytest.raises(UserError, match=r"out of memory at .*: set training.expansion"):
        trainer.run()
