"""How much is measured, and what the measures share."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from records.format.record_set import RecordSet
from tfcap.config.experiment import Config
from tfcap.config.loading import load_config
from tfcap.data.pipeline import training_batches

CONFIG = Path(__file__).parents[2] / "configs" / "heaton.yaml"


@dataclass(frozen=True)
class Sizes:
    """How much of everything is measured.

    Attributes:
        photos: of the record set drawn.
        epochs: read in succession; the figure is the mean of one.
        grid_photos: of the one with grids for features.
        repeats: how many times as large the record set of many photos is.
        baseline_photos: the first photos, for the two slow pipelines.
        global_batch: photos per step.
        steps: training steps per round, by expansion, and of the baseline; about as
            many again as are prefetched come before, untimed.
        captioned: photos in a batch of beam search.
        predicted: photos captioned by the baseline.
    """

    photos: int = 6000
    epochs: int = 5
    grid_photos: int = 1024
    repeats: int = 10
    baseline_photos: int = 120
    global_batch: int = 64
    causal_steps: int = 20
    prefix_steps: int = 2
    baseline_steps: int = 4
    captioned: int = 100
    predicted: int = 2


QUICK = Sizes(
    photos=60,
    epochs=2,
    grid_photos=8,
    repeats=2,
    baseline_photos=12,
    global_batch=4,
    causal_steps=2,
    prefix_steps=1,
    baseline_steps=1,
    captioned=4,
    predicted=1,
)


def experiment(expansion: str, global_batch: int) -> Config:
    """The notebook's model and sizes, with nothing to download."""
    return load_config(
        str(CONFIG),
        [
            "model.glove=null",
            f"training.expansion={expansion}",
            f"training.global_batch={global_batch}",
        ],
    )


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def count_targets(records: RecordSet) -> int:
    """(prefix, next token) rows of the training split."""
    batches = training_batches(records, experiment("causal", 64).training, 0)
    return sum(int(tf.math.count_nonzero(batch["target"])) for batch in batches)


def lookup(records: RecordSet) -> tuple[dict[str, int], int]:
    """Ids by word and the longest caption, as the notebook's functions take them."""
    words = {token: i for i, token in enumerate(records.vocabulary.tokens)}
    return words, records.manifest.longest_caption


def exhaust(batches: Iterable) -> None:
    for _ in batches:
        pass


def row_rate(batches: Iterable) -> float:
    """Rows per second of batches (inputs, targets [rows])."""
    start = time.perf_counter()
    rows = sum(len(target) for _, target in batches)
    return rows / (time.perf_counter() - start)
