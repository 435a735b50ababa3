"""What is timed of the Beam job. Each figure is taken once: most take a minute.

The encoders have random weights: only their speed matters.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import yaml
from apache_beam.options.pipeline_options import PipelineOptions

from beam_jobs import build_records, output_folder
from beam_jobs.elements import Job
from records import manifest
from tests.benchmarks import build_baselines, build_process
from tests.benchmarks.common import seconds
from tests.benchmarks.photo_set import PhotoSet
from tfcap.encoders import load_encoder

SMALL = (40, 30)  # pixels, where no encoder looks at them
TWO_WORKERS = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
POOLED, GRID = (2048,), (7, 7, 1024)


@dataclass(frozen=True)
class BuildSizes:
    """How many photos each measure has.

    Attributes:
        mobilenet: of the job and of the bare loop.
        inception: of the job, and of the build over it that reuses its features.
        loop: of InceptionV3's bare loop.
        predicted: of the notebook's loop.
        null: of the job without an encoder.
        few, many: of the two builds whose memory is compared.
    """

    mobilenet: int = 1000
    inception: int = 5000
    loop: int = 1000
    predicted: int = 50
    null: int = 8000
    few: int = 1000
    many: int = 8000


QUICK = BuildSizes(
    mobilenet=40, inception=40, loop=40, predicted=2, null=64, few=40, many=64
)


class BuildMeasures:
    """All of them, in a folder of their own."""

    def __init__(self, folder: Path, sizes: BuildSizes, note: Callable[[str], None]):
        self.folder, self.sizes, self.note = folder, sizes, note

    def sample(self) -> dict[str, float]:
        """By the names of `rows.BUILD_LINES`."""
        return {
            **self.with_mobilenet(),
            **self.with_inception(),
            **self.without_encoder(),
            **self.memory("pooled", POOLED),
            **self.memory("grid", GRID),
        }

    def with_mobilenet(self) -> dict[str, float]:
        self.note(f"MobileNet, {self.sizes.mobilenet} photos")
        config = self.config("mobilenet")
        data = self.photos("mobilenet", self.sizes.mobilenet)
        job = data.job(config, self.folder / "mobilenet_out")
        looped = self.loop(job, data.paths())
        built = self.build(job)
        alone = self.command(data.flags(config, self.folder / "alone"))
        output = self.folder / "together"
        together = self.command(data.flags(config, output, *TWO_WORKERS))
        count = self.sizes.mobilenet
        return {
            "build.mobilenet": count / built,
            "build.mobilenet_loop": count / looped,
            "build.one_process": count / alone,
            "build.two_workers": count / together,
        }

    def with_inception(self) -> dict[str, float]:
        sizes = self.sizes
        self.note(f"InceptionV3, {sizes.inception} photos")
        config = self.config("inception_v3")
        data = self.photos("inception", sizes.inception)
        job = data.job(config, self.folder / "inception_out")
        looped = self.loop(job, data.paths()[: sizes.loop])
        built = self.build(job)
        again = self.reuse(data, config, job)
        model = keras.applications.InceptionV3(
            weights=None, include_top=False, pooling="avg"
        )
        size, paths = job.encoder.input_size, data.paths()[: sizes.predicted]
        build_baselines.predict_one_by_one(paths[:1], model, size)
        predicted = seconds(
            lambda: build_baselines.predict_one_by_one(paths, model, size)
        )
        return {
            "build.inception": sizes.inception / built,
            "build.inception_loop": min(sizes.loop, sizes.inception) / looped,
            "build.notebook": len(paths) / predicted,
            "build.reusing": sizes.inception / again,
        }

    def reuse(self, data: PhotoSet, config: Path, first: Job) -> float:
        """Seconds of a build with another vocabulary that encodes nothing."""
        flags = ["--set=tokenizer.min_count=2", f"--reuse={first.output}"]
        return self.build(data.job(config, self.folder / "reusing_out", *flags))

    def without_encoder(self) -> dict[str, float]:
        self.note(f"no encoder, {self.sizes.null} photos")
        data = self.photos("null", self.sizes.null, SMALL)
        config, encoder = self.config("mobilenet"), build_process.NullEncoder(POOLED)
        folder = self.folder / "null"
        job = build_process.null_job(config, folder, self.folder / "null_out", encoder)
        plain = replace(job, output=str(self.folder / "plain_out"))
        Path(plain.output).mkdir()
        without = seconds(
            lambda: build_baselines.build_without_beam(data, plain, encoder)
        )
        beam = build_process.build_null(job, encoder) - without
        return {"build.beam_cost": 1e6 * beam / self.sizes.null}

    def memory(self, name: str, shape: tuple[int, ...]) -> dict[str, float]:
        """Peak memory of two builds, in MiB, each in a process of its own."""
        found = {}
        for which in ("few", "many"):
            count = getattr(self.sizes, which)
            self.note(f"memory, {name} features, {count} photos")
            folder, output = self.folder / f"{name}_{which}", self.folder / "memory_out"
            PhotoSet(folder, count, SMALL)
            command = [self.config("mobilenet"), folder, output]
            command += ["--shape", ",".join(map(str, shape))]
            printed = run_module("tests.benchmarks.build_process", *command)
            found[f"build.memory_{name}_{which}"] = json.loads(printed)["peak_mib"]
            shutil.rmtree(output)
        return found

    def photos(self, name: str, count: int, pixels=(500, 375)) -> PhotoSet:
        return PhotoSet(self.folder / name, count, pixels)

    def config(self, encoder: str) -> Path:
        path = self.folder / f"{encoder}.yaml"
        content = {"encoder": {"name": encoder, "weights": "random"}}
        content["tokenizer"] = {"min_count": 1}
        path.write_text(yaml.safe_dump(content))
        return path

    def loop(self, job: Job, paths: list[str]) -> float:
        encoder, size = load_encoder(job.config.encoder), job.config.records
        build_baselines.encode_in_batches(
            paths[: 2 * size.encoder_batch], encoder, size.encoder_batch
        )
        return seconds(
            lambda: build_baselines.encode_in_batches(
                paths, encoder, size.encoder_batch
            )
        )

    def build(self, job: Job) -> float:
        started = time.perf_counter()
        with output_folder.prepared(job.output, manifest.FILE_NAME, overwrite=False):
            build_records.build(job, PipelineOptions([]))
        return time.perf_counter() - started

    def command(self, flags: list[str]) -> float:
        return seconds(lambda: run_module("beam_jobs.build_records", *flags))


def run_module(module: str, *flags: object) -> str:
    """Runs a module in a process of its own; returns the last line it printed."""
    command = [sys.executable, "-m", module, *map(str, flags)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.splitlines()[-1]
