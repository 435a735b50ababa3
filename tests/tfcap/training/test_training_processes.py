"""`tfcap train` as a process of its own: killed, stopped, started again."""

import random
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tfcap.runs.checkpoints import STATE, Checkpoints

pytestmark = pytest.mark.slow

PATIENCE = 900  # seconds, for a busy machine
# As `tfcap`, with two logical CPUs, so that `mirrored` has two replicas.
TFCAP = """
import sys
from records.tensorflow_logging import silence_startup
silence_startup()
import tensorflow as tf
cpu = tf.config.LogicalDeviceConfiguration()
(device,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(device, [cpu, cpu])
from tfcap.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
# 21 photos, 8 a step: 3 steps an epoch, the last one short. Dropout is on.
CONFIG = """
model: {image_units: 32, lstm_units: 32, embedding_units: 5}
training: {global_batch: 8, epochs: 6, checkpoint_steps: 1, log_steps: 1, seed: 1,
  score_photos: 0}
decoding: {beam_width: 1, max_length: 8}
"""
CASES = {
    ("prefix", "mirrored"): ["training.accumulate=2", "training.clip_norm=1.0"],
    ("causal", "cpu"): ["training.average_decay=0.9"],
}


# The case whose disk is full as well, and the size that no file may exceed then: more
# than the curves take, less than a checkpoint.
FULL, LIMIT = ("causal", "cpu"), 60_000


class Command:
    """`tfcap train` with the tiny records, into one work directory."""

    def __init__(self, folder: Path, workdir: Path, *settings: str):
        self.last = workdir / "checkpoints" / "last"
        self.argv = [
            *(sys.executable, "-c", TFCAP, "train"),
            f"--config={folder / 'small.yaml'}",
            f"--records={folder / 'records'}",
            f"--workdir={workdir}",
            *(f"--set={setting}" for setting in settings),
        ]

    def saved(self) -> Checkpoints:
        return Checkpoints(str(self.last), keep=2)

    def start(self) -> subprocess.Popen:
        return subprocess.Popen(
            self.argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self) -> subprocess.CompletedProcess:
        return subprocess.run(self.argv, capture_output=True, text=True)

    def start_and_wait_for(self, checkpoint: int) -> subprocess.Popen:
        """Returns once a checkpoint of that number, or one after it, is begun."""
        process, until = self.start(), time.monotonic() + PATIENCE
        while not any(int(path.name) >= checkpoint for path in self.last.glob("*")):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < until
            time.sleep(0.001)
        return process


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_records) -> Path:
    folder = tmp_path_factory.mktemp("training")
    write_records(folder / "records")
    (folder / "small.yaml").write_text(CONFIG)
    return folder


def arrays(folder: Path) -> dict[str, np.ndarray]:
    """Everything in the newest checkpoint of a folder."""
    newest = Checkpoints(str(folder), 2).newest()
    reader = tf.train.load_checkpoint(f"{newest}/{STATE}")
    return {
        name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()
    }


def kill_at_random(command: Command, seed: int) -> None:
    """Kills it -9 somewhere in the first half of the run."""
    chance = random.Random(seed)
    process = command.start_and_wait_for(chance.randrange(1, 13))
    time.sleep(chance.uniform(0, 0.05))
    process.kill()
    assert process.wait() == -signal.SIGKILL


def run_out_of_space(command: Command) -> str:
    """Lets saving fail in the middle of the run; returns what it says."""
    process = command.start_and_wait_for(max(command.saved().finished()) + 2)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (LIMIT, LIMIT))
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, err
    return err


@pytest.fixture(scope="module")
def finished(folder) -> dict:
    """(expansion, strategy) -> work directories: never stopped, and killed and resumed.

    Two at a time: most of a tiny run is TensorFlow's start.
    """

    def train(case):
        expansion, strategy = case
        settings = f"training.expansion={expansion}", f"training.strategy={strategy}"
        name = "-".join(case)
        whole = Command(folder, folder / f"{name}-whole", *settings, *CASES[case])
        parts = Command(folder, folder / f"{name}-parts", *settings, *CASES[case])
        kill_at_random(parts, seed=sorted(CASES).index(case))
        full = run_out_of_space(parts) if case == FULL else ""
        ends = [whole.run(), parts.run()]
        assert [end.returncode for end in ends] == [0, 0], ends
        return whole, parts, full

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(CASES, pool.map(train, CASES)))


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_a_killed_run_ends_as_one_that_never_stopped(finished, case):
    whole, parts, _ = finished[case]
    for kind in ("last", "best"):
        expected = arrays(whole.last.parent / kind)
        other = arrays(parts.last.parent / kind)
        assert expected.keys() == other.keys()
        assert len(expected) > 20
        for name, array in expected.items():
            np.testing.assert_array_equal(array, other[name], err_msg=name)


def test_a_full_disk_is_told_in_one_sentence(finished):
    line = finished[FULL][2].splitlines()[-1]
    assert "error: cannot save a checkpoint in " in line
    assert "File too large. What was saved before is kept: make room" in line


def test_sigterm_means_run_me_again_and_a_second_run_is_refused(folder, tmp_path):
    command = Command(folder, tmp_path / "run", "training.epochs=100000")
    process = command.start_and_wait_for(1)
    second = command.run()
    process.terminate()
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 75, err
    assert "SIGTERM" in out and "Run the same command again to resume" in out
    assert not (tmp_path / "run" / "lock").exists()
    assert second.returncode == 1 and not second.stdout
    who = f"process {process.pid} on "
    assert second.stderr.startswith("error: --workdir: another job is writing to ")
    assert who in second.stderr and second.stderr.count("\n") == 1
