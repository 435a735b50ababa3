"""Measures the peak memory of `tfcap train` for each recipe of Flickr8k.

    python -m tests.benchmarks.training_memory [--photos 4000] [--recipe NAME ...]

Draws a record set with features of the recipe's shape and five captions a photo, one
shard of it for dev. It then runs the recipe's training as a process up to its first
checkpoint. The input pipeline holds as many photos by then as it ever does. Needs up to
2 GB of disk. `heaton` is left out: it needs a file of GloVe.
"""

from records.tensorflow_logging import silence_startup

if __name__ == "__main__":
    silence_startup()

import argparse
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path

from records import console
from records.format.schema import FeatureSpec
from tests.benchmarks import machine
from tests.benchmarks.many_captions import STEPS, run
from tests.benchmarks.record_set import make_record_set
from tfcap.config.loading import load_config

POOLED = FeatureSpec(shape=(2048,), dtype="float32")
MIXED8 = FeatureSpec(shape=(8, 8, 1280), dtype="float16")
MOBILENET = FeatureSpec(shape=(7, 7, 1024), dtype="float16")
FEATURES = {
    "flickr8k": POOLED,
    "inception_mixed8": FeatureSpec(shape=(1280,), dtype="float32"),
    "inception_attention": MIXED8,
    "inception_transformer": MIXED8,
    "ensemble": FeatureSpec(shape=(10, 10, 1280), dtype="float16"),
    "mobilenet": FeatureSpec(shape=(1024,), dtype="float32"),
    "mobilenet_attention": MOBILENET,
    "mobilenet_transformer": MOBILENET,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=4000)
    parser.add_argument("--recipe", choices=FEATURES, action="append")
    args = parser.parse_args()
    print(machine.in_words(machine.describe_machine()))
    for recipe in args.recipe or FEATURES:
        with tempfile.TemporaryDirectory() as folder:
            print(f"{recipe}: {measure(recipe, args.photos, folder)}", flush=True)
    return 0


def measure(recipe: str, photos: int, folder: str) -> str:
    """Returns time and peak memory of the recipe's first steps."""
    directory, workdir = Path(folder, "records"), Path(folder, "run")
    # A process of its own: a child's peak memory counts from its parent's memory on.
    drawing = get_context("spawn").Process(
        target=draw, args=(recipe, photos, directory)
    )
    drawing.start()
    drawing.join()
    options = ["--config", recipe, "--records", str(directory)]
    steps = ["--set", f"training.checkpoint_steps={STEPS}"]
    return run(["train", *options, *steps, "--workdir", str(workdir)], workdir)


def draw(recipe: str, photos: int, directory: Path) -> None:
    """Writes records with features of the recipe's shape."""
    directory.mkdir()
    records = make_record_set(str(directory), photos, features=FEATURES[recipe])
    *train, dev = records.manifest.shards["train"]
    changes = {
        "configuration": load_config(recipe).model_dump(mode="json"),
        "shards": {"train": train, "dev": [dev]},
    }
    records.manifest.model_copy(update=changes).save(records.directory)


if __name__ == "__main__":
    sys.exit(console.run_command(main))
