"""What is timed. Every measure is a call that gives one sample.

The unit common to pipelines and training is the row: one (prefix, next token) pair,
which is to say one target token, however a batch presents it.
"""

import time

import numpy as np
import tensorflow as tf

from records.reader import RecordSet
from records.vocabulary import END_ID
from tests.benchmarks import baselines
from tests.benchmarks.common import (
    Sizes,
    count_targets,
    exhaust,
    experiment,
    lookup,
    row_rate,
    seconds,
)
from tests.benchmarks.training_measures import NotebookTraining, Training
from tfcap.config import DecodingConfig
from tfcap.decoding import search
from tfcap.input_pipeline import photo_batches, training_batches
from tfcap.models import build_model
from tfcap.models.base import Captioner


class Measures:
    """All of them, on the same records."""

    def __init__(self, records: RecordSet, sizes: Sizes):
        self.pipelines = Pipelines(records, sizes)
        self.causal = Training(records, "causal", sizes.causal_steps, sizes)
        self.prefix = Training(records, "prefix", sizes.prefix_steps, sizes)
        self.notebook = NotebookTraining(records, sizes.baseline_steps)
        self.searching = Searching(records, sizes)

    def sample(self) -> dict[str, float]:
        """One sample of each, one after the other, by the names of `rows.LINES`."""
        prefix, built = self.pipelines.tfcap("prefix")
        causal, _ = self.pipelines.tfcap("causal")
        trained, waited = self.causal.sample()
        return {
            "pipeline.prefix": prefix,
            "pipeline.built": built,
            "pipeline.causal": causal,
            "pipeline.read": self.pipelines.read(),
            "pipeline.generator": self.pipelines.generator(),
            "pipeline.flat_map": self.pipelines.flat_map(),
            "training.causal": trained,
            "training.waited": 100 * waited,
            "training.prefix": self.prefix.sample()[0],
            "training.notebook": self.notebook.sample(),
            "search.beam": self.searching.tfcap(),
            "search.notebook": self.searching.predict(),
        }


class Pipelines:
    """Rows per second through the input pipelines, one epoch a sample."""

    def __init__(self, records: RecordSet, sizes: Sizes):
        self.records, self.sizes = records, sizes
        self.rows = count_targets(records)
        self.held = baselines.load(records, sizes.baseline_photos)
        self.flat_map_data = baselines.flat_map_rows(records, sizes.baseline_photos)
        self.flat_map()

    def tfcap(self, expansion: str) -> tuple[float, float]:
        """(rows per second, milliseconds it took to build the epoch's data set).

        Rows are timed from the first batch asked for, filling the shuffle buffer
        included, to the last.
        """
        config = experiment(expansion, self.sizes.global_batch).training
        start = time.perf_counter()
        batches = training_batches(self.records, config, 0)
        built = time.perf_counter() - start
        return self.rows / seconds(lambda: exhaust(batches)), 1000 * built

    def read(self) -> float:
        """The limit: the same bytes read and batched, nothing looked at."""
        photos = tf.data.TFRecordDataset(self.records.shard_paths("train"))
        batches = photos.batch(self.sizes.global_batch)
        return self.rows / seconds(lambda: exhaust(batches))

    def generator(self) -> float:
        return row_rate(baselines.generator(*self.held, *lookup(self.records)))

    def flat_map(self) -> float:
        return row_rate(self.flat_map_data)


class Searching:
    """Captions per second of beam search and of the notebook's loop.

    No caption of an untrained model ends by itself in a natural number of words. Beam
    search is made to go to the full length for every photo, the most work there can be;
    the notebook's loop stops after the mean length of the records' captions.
    """

    def __init__(self, records: RecordSet, sizes: Sizes):
        config = experiment("causal", sizes.global_batch)
        model = build_model(config, records.manifest, records.vocabulary)
        never_end(model)
        decoding = DecodingConfig(beam_width=3, max_length=34)
        self.search = tf.function(
            lambda features: search(model, features, decoding, records.vocabulary)
        )
        batches = photo_batches(records, "train", sizes.captioned)
        self.features = next(iter(batches))["features"]
        self.notebook = baselines.notebook_model(records, config.model)
        self.lookup = lookup(records)
        self.words = round(count_targets(records) / records.manifest.captions("train"))
        self.predicted = sizes.predicted
        self.tfcap(), self.predict()

    def tfcap(self) -> float:
        took = seconds(lambda: self.search(self.features).tokens.numpy())
        return len(self.features) / took

    def predict(self) -> float:
        photos = self.features[: self.predicted].numpy()
        return len(photos) / seconds(lambda: [self.caption(photo) for photo in photos])

    def caption(self, photo: np.ndarray) -> str:
        return baselines.write_caption(self.notebook, photo, *self.lookup, self.words)


def never_end(model: Captioner) -> None:
    """Makes `<end>` the least likely token everywhere."""
    bias = model.output_layer.bias
    bias.assign(bias - 100 * tf.one_hot(END_ID, bias.shape[0]))
