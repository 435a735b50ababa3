"""What is timed. Every measure is a call that gives one sample.

The unit common to pipelines and training is the row: one (prefix, next token) pair,
which is to say one target token, however a batch presents it.
"""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

from records.format.record_set import RecordSet
from records.text.vocabulary import END_ID
from tests.benchmarks import baselines
from tests.benchmarks.build_measures import run_module
from tests.benchmarks.common import (
    Sizes,
    count_targets,
    experiment,
    lookup,
    seconds,
)
from tests.benchmarks.pipeline_measures import Grids, ManyPhotos, Pipelines
from tests.benchmarks.training_measures import Training
from tfcap.config.decoding import ResolvedDecoding
from tfcap.data.pipeline import photo_batches
from tfcap.decoding.searching import search
from tfcap.models import build_model
from tfcap.models.base import CaptioningModel


class Measures:
    """All of them.

    Args:
        records: what everything but the grids is measured on.
        folder: for records with grids, and for many photos.
    """

    def __init__(self, records: RecordSet, sizes: Sizes, folder: Path):
        self.pipelines = Pipelines(records, sizes)
        self.grids = Grids(folder / "grids", sizes)
        self.many = ManyPhotos(records, folder / "many", sizes)
        self.causal = Training(records, "causal", sizes.causal_steps, sizes)
        self.prefix = Training(records, "prefix", sizes.prefix_steps, sizes)
        self.notebook = records.directory, sizes.baseline_steps
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
            **self.grids.sample(),
            **self.many.sample(),
            "training.causal": trained,
            "training.waited": 100 * waited,
            "training.prefix": self.prefix.sample()[0],
            "training.notebook": notebook_rate(*self.notebook),
            "search.beam": self.searching.tfcap(),
            "search.notebook": self.searching.predict(),
        }


def notebook_rate(directory: str, steps: int) -> float:
    """Rows per second of the generator and `train_on_batch`."""
    printed = run_module("tests.benchmarks.notebook_process", directory, steps)
    return json.loads(printed)["rows"]


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
        decoding = ResolvedDecoding(beam_width=3, max_length=34)
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


def never_end(model: CaptioningModel) -> None:
    """Makes `<end>` the least likely token everywhere."""
    bias = model.output_layer.bias
    bias.assign(bias - 100 * tf.one_hot(END_ID, bias.shape[0]))
