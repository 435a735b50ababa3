"""The sequence of batches: a function of seed and epoch, of nothing else."""

import hashlib
import os
import subprocess
import sys

import pytest
import tensorflow as tf

from records.format.record_set import RecordSet
from tfcap.config.training import TrainingConfig
from tfcap.data.pipeline import training_batches

HASH = """
import sys
from test_training_order import digest
print(digest(sys.argv[1], sys.argv[2]))
"""


def digest(directory: str, expansion: str, epochs: int = 2) -> str:
    """SHA-256 over all batches of the first epochs, in their order."""
    records, hash_of_batches = RecordSet.open(directory), hashlib.sha256()
    # The buffer is smaller than the data set, and there are several shards: reading in
    # parallel could show.
    config = TrainingConfig(expansion=expansion, global_batch=8, shuffle_photos=8)
    for epoch in range(epochs):
        for batch in training_batches(records, config, epoch):
            for name in sorted(batch):
                hash_of_batches.update(batch[name].numpy().tobytes())
    return hash_of_batches.hexdigest()


@pytest.mark.parametrize("expansion", ["prefix", "causal"])
def test_how_many_threads_there_are_makes_no_difference(
    make_records, monkeypatch, expansion
):
    records, digests = make_records({"train": 64, "dev": 1}), set()
    for calls in (tf.data.AUTOTUNE, 1, 2, 7):
        monkeypatch.setattr(tf.data, "AUTOTUNE", calls)
        digests.add(digest(records.directory, expansion))
    assert len(digests) == 1


def test_what_else_draws_random_numbers_makes_no_difference(make_records):
    records, digests = make_records({"train": 64, "dev": 1}), set()
    for seed in (1, 2):
        tf.random.set_seed(seed)
        digests.add(digest(records.directory, "causal"))
    assert len(digests) == 1


@pytest.mark.slow
def test_two_processes_see_the_same_batches(make_records):
    records = make_records({"train": 64, "dev": 1})
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", HASH, records.directory, "prefix"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=os.path.dirname(__file__),
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        for seed in ("1", "2")
    ]
    digests = {process.communicate()[0].strip() for process in processes}
    assert digests == {digest(records.directory, "prefix")}
