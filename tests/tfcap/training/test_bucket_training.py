"""Training on records in a bucket of an S3 server: killed in mid-read, and resumed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from records.errors import UserError
from records.format.record_set import RecordSet
from records.storage import cache as cache_module
from records.storage import registry
from records.storage.cache import FileCache
from tfcap.config.loading import load_config
from tfcap.training.trainer import Trainer

pytestmark = pytest.mark.slow
# `tfcap`, stopped after the first block of the first shard, which it has written.
STOPPED = """
import sys
from records.storage import cache
from tfcap.cli.main import main

read_from = cache.read_from

def stops(path, offset):
    for block in read_from(path, offset):
        yield block
        print("begun", flush=True)
        sys.stdin.read()

cache.read_from = stops
sys.exit(main(sys.argv[1:]))
"""
CONFIG = """
model: {image_units: 8, lstm_units: 8, embedding_units: 5}
training:
  {global_batch: 8, epochs: 3, strategy: cpu, seed: 1, log_steps: 1, shuffle_photos: 16}
decoding: {beam_width: 1, max_length: 8}
"""


@pytest.fixture
def bucket(monkeypatch):
    """A client, and the environment that leads to the server."""
    boto3 = pytest.importorskip("boto3", reason="an extra: pip install 'tfcap[aws]'")
    s3fs = pytest.importorskip("s3fs", reason="an extra: pip install 'tfcap[aws]'")
    moto = pytest.importorskip("moto.server")
    monkeypatch.setattr(registry, "_remote", None)
    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    client = boto3.client("s3")
    client.create_bucket(Bucket="bucket")
    yield client
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def put_all(client, directory: str) -> None:
    for path in Path(directory).iterdir():
        key = f"records/{path.name}"
        client.put_object(Bucket="bucket", Key=key, Body=path.read_bytes())


def kill_in_mid_read(tmp_path) -> None:
    arguments = ["--config", tmp_path / "small.yaml", "--workdir", tmp_path / "run"]
    arguments += ["--records", "s3://bucket/records", "--cache", tmp_path / "cache"]
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPED, "train", *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process.stdin, process.stdout:
        assert process.stdout.readline() == b"begun\n"
        process.kill()
        assert process.wait() == -signal.SIGKILL


def train(tmp_path, records: RecordSet, workdir: str) -> Trainer:
    config = load_config(str(tmp_path / "small.yaml"))
    trainer = Trainer(config, records, str(tmp_path / workdir))
    trainer.run()
    return trainer


def test_a_run_that_was_killed_and_lost_a_shard_ends_as_a_local_one(
    bucket, make_records, tmp_path, monkeypatch
):
    local = make_records({"train": 60, "dev": 7})
    put_all(bucket, local.directory)
    (tmp_path / "small.yaml").write_text(CONFIG)
    kill_in_mid_read(tmp_path)
    left = os.listdir(tmp_path / "cache")
    assert any(name.endswith(".part") for name in left)

    monkeypatch.setattr(cache_module, "WAIT", 0.0)
    infos = [info for infos in local.manifest.shards.values() for info in infos]
    most = 6 * max(info.bytes for info in infos) / 10**9  # of nine shards
    cache = FileCache(str(tmp_path / "cache"), most)
    remote = RecordSet.open("s3://bucket/records", cache)
    lost = f"records/{local.manifest.shards['train'][3].name}"
    content = bucket.get_object(Bucket="bucket", Key=lost)["Body"].read()
    bucket.delete_object(Bucket="bucket", Key=lost)
    with pytest.raises(
        UserError, match=rf"{lost} is missing.* stopped in epoch 1, step"
    ):
        train(tmp_path, remote, "run")

    bucket.put_object(Bucket="bucket", Key=lost, Body=content)
    trained, expected = train(tmp_path, remote, "run"), train(tmp_path, local, "local")
    for ours, theirs in zip(trained.model.weights, expected.model.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    sizes = [path.stat().st_size for path in (tmp_path / "cache").iterdir()]
    assert sum(sizes) <= most * 10**9
