"""CPU time of a photo without its network: decoding, and the job's other costs.

    python -m tests.benchmarks.decoding [--photos DIR] [--count 512]

Decoding is the graph of every encoder, with the mean of the pixels in place of the
network: JPEG to pixels, and the resizing of InceptionV3 and of CLIP. The job's other
costs are those of a build with an encoder that gives zeros: reading and hashing the
file, its captions, Beam, and writing the features.

Times are CPU seconds of the process, which other work on the machine changes less than
the clock does. The last line is a JSON object; its `limit` says how many photos a
second a machine of 16 cores can feed to a device.
"""

from records.tensorflow_logging import silence_startup

if __name__ == "__main__":
    silence_startup()

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import tensorflow as tf

from tests.benchmarks import machine
from tests.benchmarks.photo_set import PhotoSet
from tfcap.encoders.encoder import reading
from tfcap.images.resizing import SQUASH, Resizing

BATCH = 32
CORES = 16
RESIZINGS = {
    "299 pixels, squashed, bilinear": (299, SQUASH),
    "224 pixels, cropped, bicubic": (224, Resizing("crop", "bicubic", rounded=True)),
}
FEATURES = {"a vector of 2,048": "2048", "a grid of 7 x 7 x 768": "7,7,768"}
CONFIG = "{tokenizer: {min_count: 1}, records: {dtype: float16}}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, help="a folder of JPEGs; drawn without")
    parser.add_argument("--count", type=int, default=512, help="photos to decode")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), args.photos, args.count)
    for name, value in flat(result):
        print(f"{name:60} {value}", file=sys.stderr)
    print(json.dumps({**result, "machine": machine.describe_machine()}))
    return 0


def measure(folder: Path, photos: Path | None, count: int) -> dict[str, dict]:
    """Returns CPU milliseconds a photo, and the photos a second that they allow."""
    few = max(3, count // 4)  # one each of dev and test
    drawn = PhotoSet(folder / "few", few)
    many = PhotoSet(folder / "many", count + few)
    paths = sorted(photos.glob("*.jpg")) if photos else list(map(Path, many.paths()))
    contents = [path.read_bytes() for path in paths[:count]]
    decoding = {
        name: milliseconds(decode_all(contents, *settings), len(contents))
        for name, settings in RESIZINGS.items()
    }
    config = folder / "config.yaml"
    config.write_text(CONFIG)
    other = {
        name: 1000 * (build(config, many, shape) - build(config, drawn, shape)) / count
        for name, shape in FEATURES.items()
    }
    return {
        "decoding, CPU ms a photo": rounded(decoding),
        "decoding, photos/s a core": rounded(
            {k: 1000 / v for k, v in decoding.items()}
        ),
        "the job's other costs, CPU ms a photo": rounded(other),
        f"limit, photos/s of {CORES} cores": limits(decoding, other),
    }


def decode_all(
    contents: list[bytes], side: int, resizing: Resizing
) -> Callable[[], None]:
    """Returns the function that decodes and resizes the photos in batches."""
    graph = reading(side, resizing, lambda pixels: [tf.reduce_mean(pixels, [1, 2, 3])])
    graph(tf.constant(contents[:BATCH]))  # traced, and threads started

    def run() -> None:
        for start in range(0, len(contents), BATCH):
            graph(tf.constant(contents[start : start + BATCH]))

    return run


def milliseconds(run: Callable[[], None], photos: int) -> float:
    """Returns the CPU milliseconds a photo, in all threads; the least of three runs."""
    times = []
    for _ in range(3):
        started = time.process_time()
        run()
        times.append(time.process_time() - started)
    return 1000 * min(times) / photos


def build(config: Path, data: PhotoSet, shape: str) -> float:
    """Returns the CPU seconds of a build without an encoder, in its own process."""
    module = [sys.executable, "-m", "tests.benchmarks.build_process"]
    folder = data.photos.parent
    output = tempfile.mkdtemp(dir=folder)
    command = [*module, str(config), str(folder), f"{output}/out", f"--shape={shape}"]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(run.stdout.splitlines()[-1])["cpu_seconds"]


def limits(decoding: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    """Returns the photos a second of a machine whose device costs no time.

    Decoding runs on all cores. The job's other costs are those of one thread in one
    process, which bound it there, or are shared by worker processes.
    """
    (first, decode), *_ = decoding.items()
    cost = max(other.values())
    return rounded(
        {
            f"decoding alone, {first}": 1000 * CORES / decode,
            "one process, bound by its one thread": min(
                1000 / cost, 1000 * CORES / (decode + cost)
            ),
            f"{CORES} worker processes": 1000 * CORES / (decode + cost),
        }
    )


def rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.3g}") for name, value in values.items()}


def flat(result: dict[str, dict]) -> list[tuple[str, float]]:
    return [
        (f"{kind}: {name}", value)
        for kind, values in result.items()
        for name, value in values.items()
    ]


if __name__ == "__main__":
    sys.exit(main())
