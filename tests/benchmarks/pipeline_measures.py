"""The input pipeline: how fast, in how much memory, how soon after a restart."""

import json
import time
from pathlib import Path

import tensorflow as tf

from records.format.record_set import RecordSet
from tests.benchmarks import baselines
from tests.benchmarks.build_measures import run_module
from tests.benchmarks.common import (
    Sizes,
    count_targets,
    exhaust,
    experiment,
    lookup,
    row_rate,
    seconds,
)
from tests.benchmarks.record_set import GRID, make_record_set, repeat_record_set
from tfcap.data.pipeline import training_batches

RESUMED_AT = (0.13, 0.37, 0.5, 0.74, 0.99)  # of an epoch's steps
# glibc keeps what is freed, more of it the longer a process runs. Here it does not,
# so that memory is what the pipeline holds.
GIVE_BACK = {"MALLOC_TRIM_THRESHOLD_": "65536", "MALLOC_MMAP_THRESHOLD_": "65536"}


class Pipelines:
    """Rows per second through the input pipelines, some epochs a sample."""

    def __init__(self, records: RecordSet, sizes: Sizes):
        self.records, self.sizes = records, sizes
        self.rows = count_targets(records)
        self.held = baselines.load(records, sizes.baseline_photos)
        self.flat_map_data = baselines.flat_map_rows(records, sizes.baseline_photos)
        self.flat_map()

    def tfcap(self, expansion: str) -> tuple[float, float]:
        """(rows per second, milliseconds it took to build the data set).

        Rows are timed from the first batch asked for, reading the first window
        included, to the last of the last epoch.
        """
        config = experiment(expansion, self.sizes.global_batch).training
        epochs, start = self.sizes.epochs, time.perf_counter()
        batches = training_batches(self.records, config, 0, epochs=epochs)
        built = time.perf_counter() - start
        rows = self.rows * epochs
        return rows / seconds(lambda: exhaust(batches)), 1000 * built

    def read(self) -> float:
        """The limit."""
        rows = self.rows * self.sizes.epochs
        return rows / seconds(lambda: read(self.records, self.sizes))

    def generator(self) -> float:
        return row_rate(baselines.generator(*self.held, *lookup(self.records)))

    def flat_map(self) -> float:
        return row_rate(self.flat_map_data)


class Grids:
    """Photos per second through the input pipeline, spatial grids for features."""

    def __init__(self, folder: Path, sizes: Sizes):
        folder.mkdir()
        self.records = make_record_set(str(folder), sizes.grid_photos, features=GRID)
        self.sizes = sizes

    def sample(self) -> dict[str, float]:
        config = experiment("causal", self.sizes.global_batch).training
        epochs = self.sizes.epochs
        batches = training_batches(self.records, config, 0, epochs=epochs)
        photos = self.sizes.grid_photos * epochs
        return {
            "pipeline.grid": photos / seconds(lambda: exhaust(batches)),
            "pipeline.grid_read": photos
            / seconds(lambda: read(self.records, self.sizes)),
        }


class ManyPhotos:
    """The record set against one many times as large, of the same shards."""

    def __init__(self, records: RecordSet, folder: Path, sizes: Sizes):
        folder.mkdir()
        self.few = records
        self.many = repeat_record_set(records, sizes.repeats, str(folder))
        self.sizes = sizes

    def sample(self) -> dict[str, float]:
        photos = self.many.manifest.photos("train")
        steps = -(-photos // self.sizes.global_batch)
        self.first_batch(0)  # not measured: TensorFlow's own start
        fresh = self.first_batch(0)
        resumed = [self.first_batch(int(part * steps)) for part in RESUMED_AT]
        return {
            # As many windows of shards for both: the highest of more is higher.
            "pipeline.memory_few": self.memory(self.few, self.sizes.repeats),
            "pipeline.memory_many": self.memory(self.many, 1),
            "pipeline.resume": max(resumed) - fresh,
        }

    def memory(self, records: RecordSet, epochs: int) -> float:
        """MiB that reading takes at its peak, in a process of its own."""
        module, size = "tests.benchmarks.pipeline_process", self.sizes.global_batch
        printed = run_module(module, records.directory, size, epochs, **GIVE_BACK)
        return json.loads(printed)["mib"]

    def first_batch(self, step: int) -> float:
        """Seconds from the call of `training_batches` to its first batch."""
        config = experiment("prefix", self.sizes.global_batch).training
        return seconds(lambda: next(iter(training_batches(self.many, config, 0, step))))


def read(records: RecordSet, sizes: Sizes) -> None:
    """The limit: the same bytes read and batched, nothing looked at."""
    photos = tf.data.TFRecordDataset(records.shard_paths("train"))
    options = tf.data.Options()
    options.autotune.enabled = False  # at the end it waits for 0.2 s now and then
    batches = photos.batch(sizes.global_batch).repeat(sizes.epochs)
    exhaust(batches.with_options(options))
