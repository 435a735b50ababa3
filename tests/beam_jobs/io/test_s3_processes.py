"""The command as a process of its own whose every file lies on an S3 server."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import s3_server
from small_data import contents

from beam_jobs import build_records
from beam_jobs.io.output_directory import REPORTS
from tfcap.datasets.synthetic import write_data_set

pytestmark = pytest.mark.slow
COUNTS = {"train": 60, "dev": 10, "test": 10}
CONFIG = """
encoder: {name: mobilenet, weights: random, input_size: 32}
tokenizer: {min_count: 1}
records: {photos_per_shard: 4, encoder_batch: 2}
"""
WORKERS = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")


@pytest.fixture(scope="module")
def server():
    with s3_server.running() as bucket:
        yield bucket


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("drawings")
    write_data_set(folder, COUNTS, 64, 0)
    (folder / "small.yaml").write_text(CONFIG)
    return folder


def flags(folder: Path, place: str, output: str) -> list[str]:
    return [
        f"--config={folder / 'small.yaml'}",
        f"--photos={place}/images",
        f"--captions={place}/text/Flickr8k.token.txt",
        f"--splits={place}/text",
        f"--output={output}",
    ]


@pytest.fixture(scope="module")
def local(folder, tmp_path_factory) -> dict[str, bytes]:
    """Files of a local build, but for the one that names places."""
    output = tmp_path_factory.mktemp("local") / "records"
    assert build_records.main(flags(folder, str(folder), str(output))) == 0
    return contents(output, "dataset.json")


@pytest.fixture(scope="module")
def command(folder, server) -> list[str]:
    server.put_all(folder, "drawings")
    module = (sys.executable, "-m", "beam_jobs.build_records")
    return [*module, *flags(folder, f"{server.url}/drawings", f"{server.url}/records")]


@pytest.fixture(autouse=True)
def empty_output(server) -> None:
    server.clear("records/")


def same(server: s3_server.Bucket, local: dict[str, bytes]) -> bool:
    there = server.held("records/")
    assert there.pop("dataset.json")
    return there == local


def test_worker_processes_read_and_write_a_bucket(command, server, local):
    command = [*command, *server.flags, *WORKERS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert same(server, local)
    assert f"records in {server.url}/records" in done.stdout


def is_report(name: str) -> bool:
    return name.startswith(f"{REPORTS}/") and name.endswith("of-00015.json")


@pytest.fixture
def started(command, server):
    """The command, held at its first write after a finished shard.

    It is killed at the latest when the test ends.
    """
    server.gate.close_when(lambda: any(map(is_report, server.names("records/"))))
    # Without flags: what the command line of AWS goes by does as well.
    keys = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server.client.meta.endpoint_url,
    }
    process = subprocess.Popen(
        command, env={**os.environ, **keys}, stderr=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.communicate()
    server.gate.open()


def test_a_killed_build_goes_on_where_it_stopped(command, server, local, started):
    assert server.gate.closed.wait(120)
    started.kill()
    assert started.wait() == -signal.SIGKILL
    server.gate.open()
    there = server.names("records/")
    assert "dataset.json" not in there and f"{REPORTS}/lock" in there
    second = subprocess.run(
        [*command, *server.flags], capture_output=True, text=True, timeout=300
    )
    assert second.returncode == 0, second.stderr
    assert " photos taken over from an interrupted build" in second.stdout
    assert f"process {started.pid} on " in second.stderr and "is gone" in second.stderr
    assert same(server, local)
