"""A million photos through everything but the encoder.

    python -m tests.benchmarks.million [--photos 1000000] [--folder DIR]

Needs 10 GB of disk: features are 256 zeros. Prints seconds and resident memory while it
runs, and the sums at the end.
"""

from records.tensorflow_logging import silence_startup

if __name__ == "__main__":
    silence_startup()

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path

from records import console
from records.format.manifest import load_manifest
from tests.benchmarks import build_process, machine
from tests.benchmarks.photo_set import PhotoSet

SHAPE = (256,)
SAMPLES = 40  # of memory, over the run of a million


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=1_000_000)
    parser.add_argument("--folder", help="where to put everything (a temporary one)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        measure(Path(folder), args.photos)
    return 0


def measure(folder: Path, photos: int) -> None:
    PhotoSet(folder / "data", photos, (40, 30))
    config = folder / "config.yaml"
    config.write_text("{tokenizer: {min_count: 5}}")
    encoder = build_process.NullEncoder(SHAPE)
    job = build_process.null_job(config, folder / "data", folder / "records", encoder)
    print(machine.in_words(machine.describe_machine()))
    started, ended = time.monotonic(), threading.Event()
    watcher = threading.Thread(target=watch, args=(started, ended, photos))
    watcher.start()
    try:
        took = build_process.build_null(job, encoder)
    finally:
        ended.set()
        watcher.join()
    manifest = load_manifest(job.output)
    written = sum(manifest.photos(split) for split in manifest.shards)
    each = 1e6 * took / photos
    print(f"{written:,} photos in {took / 60:.1f} minutes, {each:.0f} us each")
    print(f"peak memory {machine.own_memory('VmHWM'):,.0f} MiB")


def watch(started: float, ended: threading.Event, photos: int) -> None:
    while not ended.wait(max(1, photos / 1000 / SAMPLES)):
        passed = time.monotonic() - started
        print(f"{passed:6.0f} s {machine.own_memory('VmRSS'):8,.0f} MiB", flush=True)


if __name__ == "__main__":
    sys.exit(console.run_command(main))
