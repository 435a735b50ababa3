"""Two workers as real processes: the same curve, one killed, one told to stop."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from records.format.record_set import RecordSet
from tfcap.config.loading import load_config
from tfcap.runs.checkpoints import STATE, Checkpoints
from tfcap.training.trainer import Trainer

pytestmark = pytest.mark.slow

# 21 photos, 8 a step: 3 steps an epoch, the last one short.
CONFIG = """
model:
  {image_units: 32, lstm_units: 32, embedding_units: 5, output_dropout: 0.2}
training:
  {global_batch: 8, epochs: 5, checkpoint_steps: 2, log_steps: 1, seed: 1,
   expansion: causal, clip_norm: 1.0, average_decay: 0.9, shuffle_photos: 8}
decoding: {beam_width: 1, max_length: 8}
"""
# TensorFlow's heartbeat takes 10 s to miss a worker that is gone.
WITHIN = 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_records) -> Path:
    folder = tmp_path_factory.mktemp("workers")
    write_records(folder / "records")
    (folder / "small.yaml").write_text(CONFIG)
    return folder


class Run:
    """`tfcap train --local_workers 2` into one work directory."""

    def __init__(self, folder: Path, name: str):
        self.workdir = folder / name
        self.last = self.workdir / "checkpoints" / "last"
        self.argv = [
            *(sys.executable, "-m", "tfcap", "train", "--local_workers=2"),
            f"--config={folder / 'small.yaml'}",
            f"--records={folder / 'records'}",
            f"--workdir={self.workdir}",
        ]

    def start(self) -> subprocess.Popen:
        return subprocess.Popen(
            self.argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def start_and_wait_for(self, checkpoint: int) -> subprocess.Popen:
        process, until = self.start(), time.monotonic() + 120
        while not any(int(path.name) >= checkpoint for path in self.last.glob("*")):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < until
            time.sleep(0.01)
        return process

    def signal_worker_1(self, process: subprocess.Popen, number: int) -> tuple:
        """Sends it to that worker alone; returns exit code, output, seconds to the end.

        Children are listed in the order in which they were started.
        """
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        _, worker = children.read_text().split()
        sent = time.monotonic()
        os.kill(int(worker), number)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err, time.monotonic() - sent


@pytest.fixture(scope="module")
def whole(folder) -> Run:
    """Never interrupted."""
    run = Run(folder, "whole")
    done = subprocess.run(run.argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("5 epochs, 15 steps")
    assert len(re.findall("^epoch 1/5", done.stderr, re.M)) == 1
    assert "[worker 1] epoch" not in done.stderr
    return run


def test_two_workers_have_the_curve_of_one_replica(folder, whole, tmp_path, loss_curve):
    config = load_config(str(folder / "small.yaml"), ["training.strategy=cpu"])
    records = RecordSet.open(str(folder / "records"))
    Trainer(config, records, str(tmp_path)).run()
    for kind, points in (("train", 15), ("dev", 5)):
        losses = loss_curve(tmp_path, kind)
        assert len(losses) == points and losses[-1] < losses[0]
        np.testing.assert_allclose(loss_curve(whole.workdir, kind), losses, rtol=1e-5)


def arrays(folder: Path) -> dict[str, np.ndarray]:
    newest = Checkpoints(str(folder), 2).newest()
    reader = tf.train.load_checkpoint(f"{newest}/{STATE}")
    return {
        name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()
    }


def test_workers_end_together_and_resume_together(folder, whole):
    parts = Run(folder, "parts")
    code, _, err, seconds = parts.signal_worker_1(
        parts.start_and_wait_for(1), signal.SIGKILL
    )
    assert code == 1 and seconds < WITHIN
    assert re.search(r"error: worker 1 \(127\.0\.0\.1:\d+\) has gone, and no", err)
    assert err.endswith("error: worker 1 was ended by SIGKILL; all have ended\n")
    begun = max(Checkpoints(str(parts.last), 2).finished())
    code, out, err, _ = parts.signal_worker_1(
        parts.start_and_wait_for(begun + 2), signal.SIGTERM
    )
    assert code == 75, err
    assert "stopped by SIGTERM after step" in out
    assert "resuming" in err
    assert subprocess.run(parts.argv, capture_output=True).returncode == 0
    for kind in ("last", "best"):
        expected, other = (arrays(r.last.parent / kind) for r in (whole, parts))
        assert expected.keys() == other.keys() and len(expected) > 20
        for name, array in expected.items():
            np.testing.assert_array_equal(array, other[name], err_msg=name)
