"""What is timed of the Beam job. Each figure is taken once: most take a minute.

The encoders have random weights: only their speed matters.
"""

import json
import os
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

from beam_jobs import build_records
from beam_jobs.build_job import Job
from beam_jobs.io import output_directory
from records.format import manifest
from tests.benchmarks import build_baselines, build_process
from tests.benchmarks.common import seconds
from tests.benchmarks.photo_set import PhotoSet
from tfcap.encoders import load_encoder

SMALL = (40, 30)  # pixels, where no encoder looks at them
TWO_WORKERS = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
POOLED, GRID = (2048,), (7, 7, 1024)
WARM_UP = 64  # photos


@dataclass(frozen=True)
class BuildSizes:
    """How many photos each measure has.

    Attributes:
        mobilenet: of the job and of the bare loop.
        processes: of the command in one process and in several.
        inception: of the job, and of the build over it that reuses its features.
        loop: of InceptionV3's bare loop, which is run before and after.
        predicted: of the notebook's loop.
        few, many: of the builds whose memory, or time without an encoder, is compared.
    """

    mobilenet: int = 4000
    processes: int = 1000
    inception: int = 5000
    loop: int = 500
    predicted: int = 50
    few: int = 1000
    many: int = 8000


QUICK = BuildSizes(
    mobilenet=40,
    processes=40,
    inception=40,
    loop=40,
    predicted=2,
    few=40,
    many=64,
)


class BuildMeasures:
    """All of them, in a folder of their own."""

    def __init__(self, folder: Path, sizes: BuildSizes, note: Callable[[str], None]):
        self.folder, self.sizes, self.note = folder, sizes, note

    def sample(self) -> dict[str, float]:
        """By the names of `rows.BUILD_LINES`."""
        return {
            **self.with_mobilenet(),
            **self.in_processes(),
            **self.with_inception(),
            **self.without_encoder(),
            **self.memory("pooled", POOLED),
            **self.memory("grid", GRID),
        }

    def with_mobilenet(self) -> dict[str, float]:
        count = self.sizes.mobilenet
        self.note(f"MobileNet, {count} photos")
        data, config = self.photos("mobilenet", count), self.config("mobilenet")
        # Not measured: Beam's and TensorFlow's own start. The loop is warm as well.
        first = self.photos("first", WARM_UP).job(config, self.folder / "first_out")
        self.build(first)
        job = data.job(config, self.folder / "mobilenet_out")
        built, looped = self.beside_the_loop(job, data.paths(), count)
        return {"build.mobilenet": built, "build.mobilenet_loop": looped}

    def in_processes(self) -> dict[str, float]:
        count = self.sizes.processes
        self.note(f"one process and two, MobileNet, {count} photos")
        config, data = self.config("mobilenet"), self.photos("processes", count)
        alone = self.command(data.flags(config, self.folder / "alone"))
        output = self.folder / "together"
        together = self.command(data.flags(config, output, *TWO_WORKERS))
        return {
            "build.one_process": count / alone,
            "build.two_workers": count / together,
        }

    def beside_the_loop(
        self, job: Job, paths: list[str], looped: int
    ) -> tuple[float, float]:
        """Photos/s of the job and of the bare loop, run before and after it."""
        half = paths[: looped // 2]
        before = self.loop(job, half)
        built = self.build(job)
        after = self.loop(job, half)
        return len(paths) / built, 2 * len(half) / (before + after)

    def with_inception(self) -> dict[str, float]:
        sizes = self.sizes
        self.note(f"InceptionV3, {sizes.inception} photos")
        config = self.config("inception_v3")
        data = self.photos("inception", sizes.inception)
        job = data.job(config, self.folder / "inception_out")
        built, looped = self.beside_the_loop(job, data.paths(), 2 * sizes.loop)
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
            "build.inception": built,
            "build.inception_loop": looped,
            "build.notebook": len(paths) / predicted,
            "build.reusing": sizes.inception / again,
        }

    def reuse(self, data: PhotoSet, config: Path, first: Job) -> float:
        """Seconds of a build with another vocabulary that encodes nothing."""
        flags = ["--set=tokenizer.min_count=2", f"--reuse={first.output}"]
        return self.build(data.job(config, self.folder / "reusing_out", *flags))

    def without_encoder(self) -> dict[str, float]:
        """Beam's cost of one more photo; that of its start is in the rows above."""
        few, many = (self.beam_seconds(n) for n in (self.sizes.few, self.sizes.many))
        more = self.sizes.many - self.sizes.few
        return {"build.beam_cost": 1e6 * (many - few) / more}

    def beam_seconds(self, count: int) -> float:
        """Of a build without an encoder, less those of the same work without Beam."""
        self.note(f"no encoder, {count} photos")
        name = f"null_{count}"
        data = self.photos(name, count, SMALL)
        config, encoder = self.config("mobilenet"), build_process.NullEncoder(POOLED)
        output = self.folder / f"{name}_out"
        job = build_process.null_job(config, self.folder / name, output, encoder)
        plain = replace(job, output=str(self.folder / f"{name}_plain"))
        Path(plain.output).mkdir()
        without = seconds(
            lambda: build_baselines.build_without_beam(data, plain, encoder)
        )
        return build_process.build_null(job, encoder) - without

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
        with output_directory.claim(job.output, manifest.FILE_NAME, overwrite=False):
            build_records.build(job, PipelineOptions([]))
        return time.perf_counter() - started

    def command(self, flags: list[str]) -> float:
        return seconds(lambda: run_module("beam_jobs.build_records", *flags))


def run_module(module: str, *flags: object, **variables: str) -> str:
    """Runs a module in a process of its own; returns the last line it printed.

    Args:
        variables: of its environment, besides this process's.
    """
    command = [sys.executable, "-m", module, *map(str, flags)]
    environment = {**os.environ, **variables}
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    return done.stdout.splitlines()[-1]
