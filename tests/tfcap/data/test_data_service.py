"""Batches by way of a tf.data service: a dispatcher and two workers on loopback."""

import socket
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack

import numpy as np
import pytest
import tensorflow as tf

from records.errors import UserError
from records.format import schema
from records.format.record_set import read_shard
from tfcap.config.training import TrainingConfig
from tfcap.data.pipeline import training_batches

pytestmark = pytest.mark.slow
service = tf.data.experimental.service
WORKER = """
import sys
from records.tensorflow_logging import silence_startup
silence_startup()
import tensorflow as tf
service = tf.data.experimental.service
at, port = sys.argv[1:]
worker = service.WorkerServer(
    service.WorkerConfig(at, worker_address=f"localhost:{port}", port=int(port))
)
print("there", flush=True)
sys.stdin.read()
"""


class Service:
    """A dispatcher told of so many workers, and those of them that are there."""

    def __init__(self, told: int, there: int):
        with ExitStack() as stack:
            sockets = [stack.enter_context(socket.socket()) for _ in range(there)]
            for one in sockets:
                one.bind(("127.0.0.1", 0))
            ports = [one.getsockname()[1] for one in sockets]
        # A worker that is not there has a port that nobody has.
        addresses = [f"localhost:{p}" for p in [*ports, 1][:told]] or None
        self.dispatcher = service.DispatchServer(
            service.DispatcherConfig(worker_addresses=addresses)
        )
        at = self.dispatcher.target.removeprefix("grpc://")
        self.workers = [
            subprocess.Popen(
                [sys.executable, "-c", WORKER, at, str(port)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            for port in ports
        ]

    def __enter__(self) -> str:
        for worker in self.workers:
            assert worker.stdout.readline() == b"there\n"
        return self.dispatcher.target

    def __exit__(self, *_) -> None:
        for worker in self.workers:
            worker.kill()  # told to end, it would wait for its tasks to time out
            worker.communicate()


@pytest.fixture(scope="module")
def address():
    with Service(told=2, there=2) as address:
        yield address


def batches(records, epoch, skip=0, context=None, **settings):
    config = TrainingConfig(global_batch=8, shuffle_photos=8, **settings)
    return list(training_batches(records, config, epoch, skip, context))


@pytest.mark.parametrize(
    ("expansion", "epoch", "skip"),
    [("causal", 0, 0), ("causal", 1, 0), ("prefix", 0, 0), ("causal", 0, 1)],
)
def test_batches_and_their_order_are_those_without(
    make_records, address, expansion, epoch, skip
):
    # 5 batches, or 4 of them: with and without a last round that is not whole.
    records = make_records({"train": 37, "dev": 1})
    without = batches(records, epoch, skip, expansion=expansion)
    by_service = batches(
        records, epoch, skip, expansion=expansion, data_service=address
    )
    assert len(by_service) == len(without) == 5 - skip
    for one, other in zip(without, by_service):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_each_host_gets_its_own(make_records, address):
    records = make_records({"train": 21, "dev": 1})
    for host in range(2):
        context = tf.distribute.InputContext(2, host, 2)
        without = batches(records, 0, 1, context)
        by_service = batches(records, 0, 1, context, data_service=address)
        assert len(by_service) == len(without) == 2
        for one, other in zip(without, by_service):
            np.testing.assert_array_equal(one["features"], other["features"])


def test_every_caption_comes_exactly_once(make_records, address):
    records, seen, held = make_records({"train": 37, "dev": 1}), Counter(), Counter()
    for batch in batches(records, 0, expansion="causal", data_service=address):
        features = batch["features"].numpy()[batch["photo"].numpy()]
        for photo, row in zip(features, batch["target"].numpy()):
            seen[photo.tobytes(), tuple(row[row > 0])] += 1
    for path in records.shard_paths("train"):
        for serialized in read_shard(path):
            record = schema.decode(serialized, records.manifest.features)
            for ids in record.ids:
                held[record.features.tobytes(), tuple(ids[1:])] += 1
    assert seen == held and seen.total() == 74


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (0, "must be told of its workers: start its dispatcher with"),
        (2, "has 1 of the 2 workers that its dispatcher was told of"),
    ],
)
def test_a_service_without_a_list_of_workers_or_without_one_of_them(
    make_records, told, message
):
    with Service(told, there=1) as there, pytest.raises(UserError, match=message):
        batches(make_records(), 0, data_service=there)


def test_nobody_there(make_records):
    with pytest.raises(UserError, match=r"nothing answers at grpc://127.0.0.1:1: "):
        batches(make_records(), 0, data_service="grpc://127.0.0.1:1")
