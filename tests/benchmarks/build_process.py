"""One build in a process of its own, with an encoder that does nothing.

    python -m tests.benchmarks.build_process CONFIG FOLDER OUTPUT --shape 7,7,1024

Features are zeros: what is left is Beam, reading, and writing. The last line it prints
is a JSON object with the seconds of the build, its CPU seconds and the peak memory of
the process.
"""

from records.tensorflow_logging import silence_startup

if __name__ == "__main__":
    silence_startup()

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from apache_beam.options.pipeline_options import PipelineOptions

from beam_jobs import build_records
from beam_jobs.build_job import Job
from beam_jobs.io import output_directory
from beam_jobs.sources.flickr8k import Flickr8k
from records.format import manifest
from records.format.manifest import EncoderInfo
from records.format.schema import FeatureSpec
from tests.benchmarks import machine
from tfcap.config.encoder import EncoderConfig
from tfcap.config.loading import load_config


class NullEncoder:
    """Zeros of a shape, without a look at the photos."""

    def __init__(self, shape: tuple[int, ...]):
        self.shape = shape
        self.info = EncoderInfo(
            name="null",
            layer=None,
            pooling="grid" if len(shape) == 3 else "avg",
            input_size=32,
            preprocessing="none",
            weights="none",
            digest="0" * 64,
        )

    def __call__(self, config: EncoderConfig) -> "NullEncoder":
        return self

    def encode(self, photos: Sequence[bytes]):
        return np.zeros([len(photos), *self.shape], np.float32), []


def null_job(config: Path, folder: Path, output: Path, encoder: NullEncoder) -> Job:
    text = folder / "text"
    loaded = load_config(str(config))
    return Job(
        photos=str(folder / "images"),
        source=Flickr8k.open([str(text / "Flickr8k.token.txt")], str(text)),
        output=str(output),
        config=loaded,
        encoder=encoder.info,
        features=FeatureSpec(shape=encoder.shape, dtype=loaded.records.dtype),
        max_reject_fraction=0.0,
    )


def build_null(job: Job, encoder: NullEncoder) -> float:
    """Seconds of the build."""
    started = time.perf_counter()
    with output_directory.claim(job.output, manifest.FILE_NAME, overwrite=False):
        build_records.build(job, PipelineOptions([]), encoder)
    return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--shape", default="2048")
    args = parser.parse_args()
    encoder = NullEncoder(tuple(map(int, args.shape.split(","))))
    job = null_job(args.config, args.folder, args.output, encoder)
    before = time.process_time()
    took = build_null(job, encoder)
    worked = time.process_time() - before
    # Not `ru_maxrss`: a process takes over that of the one it was started from.
    peak = machine.own_memory("VmHWM")
    print(json.dumps({"seconds": took, "cpu_seconds": worked, "peak_mib": peak}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
