"""The lines that `tfcap train` prints at its start."""

import re

import pytest
import tensorflow as tf
from test_trainer import settings

from tfcap.training import run_summary
from tfcap.training.distributed.strategies import make_strategy, mirrored
from tfcap.training.trainer import Trainer


def test_a_run_says_what_trains_on_what(make_records, tmp_path, caplog):
    caplog.set_level("INFO")
    records = make_records()
    trainer = Trainer(settings(epochs=1), records, str(tmp_path / "run"))
    trainer.run()
    lines = caplog.messages
    lines = lines[[line.split()[0] for line in lines].index("devices") :]
    photos, steps = records.manifest.photos("train"), trainer.steps_per_epoch
    trained = sum(variable.numpy().size for variable in trainer.state.weights)
    assert re.fullmatch(
        r"devices +1 CPU \(\d+ cores?\); OneDeviceStrategy, 1 replica", lines[0]
    )
    assert lines[1] == "precision   float32"
    assert lines[2].startswith(f"photos      {photos} to train on, ")
    assert lines[2].endswith(f"8 a step, {steps} steps an epoch")
    assert lines[3].startswith(f"parameters  {trained:,} trained")


def test_replicas_and_workers_are_counted():
    devices = tf.config.list_logical_devices("CPU")
    text = run_summary.describe_devices(mirrored(devices[:2]), workers=3)
    assert text.startswith("2 CPUs (")
    assert text.endswith(" on each of 3 workers; MirroredStrategy, 2 replicas")
    assert "workers" not in run_summary.describe_devices(make_strategy("cpu"))


@pytest.mark.parametrize(
    ("visible", "usable", "has_hint"),
    [
        (None, 0, True),
        ("0", 0, True),
        ("", 0, False),
        ("-1", 0, False),
        (None, 1, False),
    ],
)
def test_gpus_that_tensorflow_cannot_use(
    monkeypatch, tmp_path, visible, usable, has_hint
):
    (tmp_path / "0000:01:00.0").mkdir()
    monkeypatch.setattr(run_summary, "NVIDIA_GPUS", str(tmp_path))
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: ["GPU"] * usable)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    hint = run_summary.unused_gpus()
    assert bool(hint) == has_hint
    if has_hint:
        assert hint.startswith("1 NVIDIA GPU in this machine")
        assert "pip install 'tensorflow[and-cuda]'" in hint


def test_a_machine_without_gpus_gets_no_hint(monkeypatch, tmp_path):
    monkeypatch.setattr(run_summary, "NVIDIA_GPUS", str(tmp_path / "none"))
    assert run_summary.unused_gpus() is None
