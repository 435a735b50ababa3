"""The command as a process of its own: killed, interrupted, started again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from beam_jobs.io.output_directory import REPORTS
from records.format.record_set import RecordSet
from tfcap.datasets.synthetic import write_data_set

pytestmark = pytest.mark.slow
PATIENCE = 900  # seconds, for a busy machine
COUNTS = {"train": 200, "dev": 20, "test": 20}
# One photo a batch and a shard of four: time enough to break off in the middle.
CONFIG = """
encoder: {name: mobilenet, weights: random, input_size: 32}
tokenizer: {min_count: 1}
records: {photos_per_shard: 4, encoder_batch: 1}
"""


@pytest.fixture(scope="module")
def command(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("drawings")
    write_data_set(folder, COUNTS, 64, 0)
    (folder / "small.yaml").write_text(CONFIG)
    return [
        *(sys.executable, "-m", "beam_jobs.build_records"),
        f"--config={folder / 'small.yaml'}",
        f"--photos={folder / 'images'}",
        f"--captions={folder / 'text' / 'Flickr8k.token.txt'}",
        f"--splits={folder / 'text'}",
    ]


def start(command: list[str], output: Path) -> subprocess.Popen:
    """Starts the command; returns once it has finished a shard."""
    process = subprocess.Popen(
        [*command, f"--output={output}"], stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + PATIENCE
    while not list((output / REPORTS).glob("*.json")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.002)
    return process


def run(command: list[str], output: Path) -> subprocess.CompletedProcess:
    command = [*command, f"--output={output}"]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_killed_build_is_finished_by_the_next(command, tmp_path):
    killed = start(command, tmp_path / "killed")
    killed.kill()
    assert killed.wait() == -signal.SIGKILL
    finished = len(list((tmp_path / "killed" / REPORTS).glob("*.json")))
    assert 0 < finished < 60
    assert not (tmp_path / "killed" / "dataset.json").exists()
    assert (tmp_path / "killed" / REPORTS / "lock").exists()
    second = run(command, tmp_path / "killed")
    assert second.returncode == 0, second.stderr
    assert " photos taken over from an interrupted build" in second.stdout
    assert f"process {killed.pid} on " in second.stderr and "is gone" in second.stderr
    assert RecordSet.open(str(tmp_path / "killed")).manifest.photos("train") == 200


def test_a_second_job_is_refused_and_ctrl_c_ends_the_first(command, tmp_path):
    first = start(command, tmp_path / "out")
    first.send_signal(signal.SIGSTOP)
    second = run([*command, "--overwrite"], tmp_path / "out")
    first.send_signal(signal.SIGCONT)
    first.send_signal(signal.SIGINT)
    _, said = first.communicate(timeout=PATIENCE)
    assert first.returncode == 130, said
    assert "interrupted" in said and "Traceback" not in said
    assert "dataset.json" not in os.listdir(tmp_path / "out")
    assert not (tmp_path / "out" / REPORTS / "lock").exists()
    assert second.returncode == 1
    assert f"another job is writing to {tmp_path / 'out'}" in second.stderr
    assert f"process {first.pid} on " in second.stderr
