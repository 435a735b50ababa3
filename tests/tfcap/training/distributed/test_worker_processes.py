"""Two workers as real processes: the same curve; killed, hanging, stopped ones."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from records.format.record_set import RecordSet
from tfcap.config.loading import load_config
from tfcap.runs.checkpoints import STATE, Checkpoints
from tfcap.training.distributed.guard import guarded
from tfcap.training.distributed.hosts import local_commands
from tfcap.training.distributed.launcher import Launcher
from tfcap.training.trainer import Trainer

pytestmark = pytest.mark.slow

# 21 photos, 8 a step: 3 steps an epoch, the last one short.
CONFIG = """
model:
  {image_units: 32, lstm_units: 32, embedding_units: 5, output_dropout: 0.2}
training:
  {global_batch: 8, epochs: 5, checkpoint_steps: 2, log_steps: 1, seed: 1,
   expansion: causal, clip_norm: 1.0, average_decay: 0.9, shuffle_photos: 8,
   score_photos: 0}
decoding: {beam_width: 1, max_length: 8}
"""
# In the order in which they happen: step, worker, signal.
FAULTS = (
    (4, 1, signal.SIGKILL),
    (7, 0, signal.SIGKILL),
    (10, 1, signal.SIGSTOP),
    (13, 1, signal.SIGTERM),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_records) -> Path:
    folder = tmp_path_factory.mktemp("workers")
    write_records(folder / "records")
    (folder / "small.yaml").write_text(CONFIG)
    return folder


def train(folder: Path, name: str) -> list[str]:
    """Returns the training command into a work directory of that name."""
    return [
        "train",
        f"--config={folder / 'small.yaml'}",
        f"--records={folder / 'records'}",
        f"--workdir={folder / name}",
    ]


@pytest.fixture(scope="module")
def whole(folder) -> Path:
    """Returns the work directory of a run that was never interrupted."""
    launch = [sys.executable, "-m", "tfcap", "launch", "--processes=2", "--"]
    argv = [*launch, *train(folder, "whole")]
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[worker 0] 5 epochs, 15 steps")
    assert len(re.findall(r"^\[worker 0\] epoch 1/5: ", done.stderr, re.M)) == 1
    assert "[worker 1] epoch" not in done.stderr
    return folder / "whole"


def test_two_workers_have_the_curve_of_one_replica(folder, whole, tmp_path, loss_curve):
    config = load_config(str(folder / "small.yaml"), ["training.strategy=cpu"])
    records = RecordSet.open(str(folder / "records"))
    Trainer(config, records, str(tmp_path)).run()
    for kind, points in (("train", 15), ("dev", 5)):
        losses = loss_curve(tmp_path, kind)
        assert len(losses) == points and losses[-1] < losses[0]
        np.testing.assert_allclose(loss_curve(whole, kind), losses, rtol=1e-5)


def arrays(folder: Path) -> dict[str, np.ndarray]:
    newest = Checkpoints(str(folder), 2).newest()
    reader = tf.train.load_checkpoint(f"{newest}/{STATE}")
    return {
        name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()
    }


def test_faults_change_nothing_in_the_end(folder, whole, tmp_path, capsys, caplog):
    for fault in FAULTS:
        (tmp_path / "{:d}-{:d}-{:d}".format(*fault)).touch()
    program = [sys.executable, str(Path(__file__).with_name("faulty_train.py"))]
    command = [*program, str(tmp_path), *train(folder, "parts")]
    argv = guarded(command, 1.0, sys.executable)

    def launch(restarts: int) -> int:
        return Launcher(lambda: local_commands(argv, 2), restarts, grace=1.0).run()

    assert launch(restarts=3) == 75
    assert not list(tmp_path.iterdir())
    messages = [record.getMessage() for record in caplog.records]
    failures = [message for message in messages if message.startswith("error")]
    patterns = ("worker 1 .* SIGKILL", "worker 0 .* SIGKILL", "worker 0 .* code 1")
    for failure, pattern in zip(failures, patterns, strict=True):
        assert re.match(f"error: {pattern}; stopping all workers", failure)
    out, err = capsys.readouterr()
    assert "[worker 0] stopped by SIGTERM after step" in out
    hanging = r"\[worker 0\] error: worker 1 \(127\.0\.0\.1:\d+\) has gone, and no"
    assert re.search(hanging, err)
    assert launch(restarts=0) == 0
    for kind in ("last", "best"):
        expected, other = (
            arrays(workdir / "checkpoints" / kind)
            for workdir in (whole, folder / "parts")
        )
        assert expected.keys() == other.keys() and len(expected) > 20
        for name, array in expected.items():
            np.testing.assert_array_equal(array, other[name], err_msg=name)
