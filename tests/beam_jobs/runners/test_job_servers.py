"""The job on Flink, Spark and Prism, as processes: the same bytes as of a local run."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from small_data import contents

from beam_jobs.runners.job_server import SERVERS
from tfcap.datasets.synthetic import write_data_set

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
# Outside the test's own folder: Maven fetches it once.
JOB_SERVERS = os.environ.get(
    "TFCAP_JOB_SERVERS", str(Path.home() / ".cache" / "tfcap" / "job_servers")
)
NOT_TO_BE_HAD = (3, 4)  # exit codes of deploy/job_server.sh
PORT = "18081"
WORKER = Path(sys.executable).with_name("tfcap-worker")
CONFIG = """
encoder: {name: mobilenet, weights: random, input_size: 32}
tokenizer: {min_count: 1}
records: {photos_per_shard: 8, encoder_batch: 4}
"""


def job_server(engine: str) -> str:
    script = ROOT / "deploy" / "job_server.sh"
    made = subprocess.run(
        [script, engine, JOB_SERVERS], capture_output=True, text=True, timeout=600
    )
    if made.returncode in NOT_TO_BE_HAD:
        pytest.skip(made.stderr.strip().splitlines()[-1])
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


@pytest.fixture(scope="module")
def command(tmp_path_factory) -> list[str]:
    folder = tmp_path_factory.mktemp("drawings")
    write_data_set(folder, {"train": 60, "dev": 10, "test": 10}, 64, 0)
    (folder / "images" / "train_00003.jpg").unlink(missing_ok=True)
    (folder / "small.yaml").write_text(CONFIG)
    return [
        *(sys.executable, "-m", "beam_jobs.build_records"),
        f"--config={folder / 'small.yaml'}",
        f"--photos={folder / 'images'}",
        f"--captions={folder / 'text' / 'Flickr8k.token.txt'}",
        f"--splits={folder / 'text'}",
    ]


def run(command: list[str], output: Path, *flags: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*command, f"--output={output}", *flags],
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.fixture(scope="module")
def local(command, tmp_path_factory) -> dict[str, bytes]:
    output = tmp_path_factory.mktemp("local") / "records"
    done = run(command, output)
    assert done.returncode == 0, done.stderr
    return contents(output)


def assert_same(command, local, output: Path, *flags: str) -> None:
    done = run(command, output, *flags)
    assert done.returncode == 0, done.stderr
    assert contents(output) == local


def test_flink_in_one_process_with_two_slots(command, local, tmp_path):
    jar = job_server("flink")
    flags = ["--runner=FlinkRunner", f"--flink_job_server_jar={jar}", "--parallelism=2"]
    assert_same(command, local, tmp_path / "out", *flags)


@pytest.fixture
def cluster(tmp_path):
    """The address of a job manager with two task managers."""
    job_server("flink")
    script, folder = str(ROOT / "deploy" / "flink_cluster.sh"), str(tmp_path / "flink")
    environment = {**os.environ, "PORT": PORT, "JOB_SERVERS": JOB_SERVERS}
    with open(tmp_path / "started", "w+") as said:
        # To a file: the cluster goes on, and would hold a pipe open.
        started = subprocess.run(
            [script, "start", folder, "2"], stdout=said, stderr=said, env=environment
        )
        said.seek(0)
        text = said.read()
    assert started.returncode == 0, text
    yield text.strip().splitlines()[-1]
    subprocess.run([script, "stop", folder], check=True)


def test_a_flink_cluster_of_two_task_managers(command, local, cluster, tmp_path):
    flags = [
        "--runner=FlinkRunner",
        f"--flink_job_server_jar={job_server('flink')}",
        f"--flink_master={cluster}",
        "--environment_type=PROCESS",
        f"--environment_config={json.dumps({'command': str(WORKER)})}",
        "--parallelism=2",
    ]
    assert_same(command, local, tmp_path / "out", *flags)
    logs = [
        path.read_text() for path in (tmp_path / "flink").glob("task_manager_*.log")
    ]
    assert len(logs) == 2
    assert all(re.search(r"switched from \w+ to FINISHED", log) for log in logs)


def test_a_job_that_fails_on_flink_in_one_process_says_why(command, tmp_path):
    jar = job_server("flink")
    flags = ["--runner=FlinkRunner", f"--flink_job_server_jar={jar}"]
    others = [flag for flag in command if not flag.startswith("--photos")]
    (tmp_path / "empty").mkdir()
    done = run([*others, f"--photos={tmp_path / 'empty'}"], tmp_path / "out", *flags)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "dataset.json").exists()


def test_spark_in_one_process(command, local, tmp_path):
    jar = job_server("spark")
    flags = ["--runner=SparkRunner", f"--spark_job_server_jar={jar}"]
    assert_same(command, local, tmp_path / "out", *flags)


@pytest.fixture(scope="module")
def prism() -> str:
    """The program, made by Go once: Beam itself would fetch it from a web page."""
    program = Path(JOB_SERVERS) / "prism"
    if not program.exists():
        command = SERVERS["PrismRunner"].make.split()
        if not shutil.which(command[0]):
            pytest.skip("no program go to make Prism with")
        program.parent.mkdir(parents=True, exist_ok=True)
        go = {**os.environ, "GOBIN": str(program.parent)}
        made = subprocess.run(command, capture_output=True, text=True, env=go)
        if made.returncode:
            pytest.skip(f"Prism cannot be made: {made.stderr.strip().splitlines()[-1]}")
    return str(program)


def test_prism(command, local, prism, tmp_path):
    flags = ["--runner=PrismRunner", f"--prism_location={prism}"]
    assert_same(command, local, tmp_path / "out", *flags)


def test_a_job_that_fails_on_prism_says_why(command, prism, tmp_path):
    flags = ["--runner=PrismRunner", f"--prism_location={prism}"]
    others = [flag for flag in command if not flag.startswith("--photos")]
    (tmp_path / "empty").mkdir()
    done = run([*others, f"--photos={tmp_path / 'empty'}"], tmp_path / "out", *flags)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "dataset.json").exists()
