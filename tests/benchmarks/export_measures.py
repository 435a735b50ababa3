"""What is timed of an exported model: photos, feature vectors, and photos in bulk."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions

from beam_jobs import caption_photos
from beam_jobs.io import output_directory
from beam_jobs.transforms.caption_shard import CaptionJob, Summary, load_captioner
from records.format import sharding
from tests.benchmarks import baselines
from tests.benchmarks.common import count_targets, experiment, lookup, seconds
from tests.benchmarks.photo_set import PhotoSet
from tests.benchmarks.random_exports import RandomModel
from tfcap.inference.captioner import Captioner

BATCHES = (1, 8, 32)


@dataclass(frozen=True)
class ExportSizes:
    """How much each measure has.

    Attributes:
        photos: captioned at each batch size, and encoded by the encoder alone; no more
            than `bulk`.
        vectors: captioned at a time from their features.
        predicted: vectors captioned by the notebook's loop.
        bulk: photos of the Beam job.
    """

    photos: int = 64
    vectors: int = 1000
    predicted: int = 3
    bulk: int = 512


QUICK = ExportSizes(photos=32, vectors=8, predicted=1, bulk=32)


class ExportMeasures:
    """All of them, in a folder of their own."""

    def __init__(self, folder: Path, sizes: ExportSizes):
        made = RandomModel.make(folder / "records")
        drawn = PhotoSet(folder / "photos", sizes.bulk)
        model = made.export(folder / "beam_3")
        self.captioner = load_captioner(model)  # the Beam job's own, loaded once
        self.encoder = made.encoder
        first = drawn.paths()[: sizes.photos]
        self.photos = [Path(path).read_bytes() for path in first]
        self.vectors = Vectors(made, folder / "beam_5", sizes)
        self.bulk = Bulk(model, self.captioner, drawn, folder)

    def sample(self) -> dict[str, float]:
        """One sample of each, by the names of `rows.EXPORT_LINES`."""
        found = {}
        for size in BATCHES:
            found |= self.against_the_encoder(size)
        return found | self.vectors.sample() | self.bulk.sample()

    def against_the_encoder(self, size: int) -> dict[str, float]:
        """Photos a second of the export and of its encoder, a batch of each in turn."""
        batches = cut(self.photos, size)
        works = self.captioner.caption, self.encoder.encode
        took = [0.0, 0.0]
        for work in works:
            work(batches[0])
        for batch in batches:
            for i, work in enumerate(works):
                took[i] += seconds(lambda work=work, batch=batch: work(batch))
        exported, encoded = (len(self.photos) / each for each in took)
        return {f"export.batch_{size}": exported, f"export.encoder_{size}": encoded}


class Vectors:
    """Captions a second from pooled features: beams of 5, and the notebook's loop.

    The loop is greedy and stops after the mean length of the records' captions.
    """

    def __init__(self, made: RandomModel, folder: Path, sizes: ExportSizes):
        # A signature holds its variables weakly: without the model they would go.
        self.model = tf.saved_model.load(f"{made.export(folder, beam_width=5)}/1")
        self.notebook = baselines.notebook_model(
            made.records, experiment("prefix", 1).model
        )
        self.lookup = lookup(made.records)
        captions = made.records.manifest.captions("train")
        self.words = round(count_targets(made.records) / captions)
        random = np.random.default_rng(0)
        drawn = random.standard_normal([sizes.vectors, 2048], np.float32)
        self.vectors, self.predicted = np.abs(drawn), sizes.predicted
        self.caption(), self.predict(1)

    def sample(self) -> dict[str, float]:
        exported = len(self.vectors) / seconds(self.caption)
        predicted = seconds(lambda: self.predict(self.predicted))
        return {
            "export.vectors": exported,
            "export.notebook": self.predicted / predicted,
        }

    def caption(self) -> None:
        features = tf.constant(self.vectors)
        self.model.signatures["features"](features=features)["caption"].numpy()

    def predict(self, count: int) -> None:
        for vector in self.vectors[:count]:
            baselines.write_caption(self.notebook, vector, *self.lookup, self.words)


class Bulk:
    """Photos a second of the Beam job, and of a bare loop over the same batches."""

    def __init__(self, model: str, captioner: Captioner, drawn: PhotoSet, folder: Path):
        self.model, self.captioner, self.folder = model, captioner, folder
        self.drawn, self.runs = drawn, 0

    def sample(self) -> dict[str, float]:
        self.runs += 1
        args = caption_photos.make_parser().parse_args(
            [
                f"--model={self.model}",
                f"--photos={self.drawn.photos}/*.jpg",
                f"--output={self.folder}/captions_{self.runs}",
            ]
        )
        job, paths = caption_photos.make_job(args), self.drawn.paths()
        batches = same_batches(paths, job.shards, job.batch)
        looped = seconds(lambda: caption_in_batches(batches, self.captioner))
        built = seconds(lambda: run(job))
        return {
            "export.bulk": len(paths) / built,
            "export.loop": len(paths) / looped,
        }


def run(job: CaptionJob, captioner_for=load_captioner) -> None:
    with output_directory.claim(job.output, Summary.file_name(), False):
        caption_photos.caption(job, PipelineOptions([]), captioner_for)


def cut(photos: list, size: int) -> list[list]:
    return [photos[start : start + size] for start in range(0, len(photos), size)]


def same_batches(paths: list[str], count: int, size: int) -> list[list[str]]:
    """The job's batches: a shard is a hash of the path, a batch lies in one shard."""
    held: list[list[str]] = [[] for _ in range(count)]
    for path in sorted(paths):
        held[sharding.shard_of(path, count)].append(path)
    return [batch for shard in held for batch in cut(shard, size)]


def caption_in_batches(batches: list[list[str]], captioner: Captioner) -> None:
    """The bare loop: photos read and captioned, nothing kept."""
    for batch in batches:
        captioner.caption_batch([Path(path).read_bytes() for path in batch])
