"""What is started on many photos: memory and minutes of what reads all captions.

    python -m tests.benchmarks.many_captions [--photos 1000000] [--scored 1000]
                                             [--cells 2] [--folder DIR]

Draws a record set of that many training photos with five captions each, of 10,000
words, and small features; then runs, each as a command of its own: self-critical
training up to its first checkpoint, `tfcap evaluate` of the `dev` photos and `tfcap
export`, with the search of `configs/inception_attention.yaml`. Needs 2 GB of disk for
a million.
"""

from records.tensorflow_logging import silence_startup

if __name__ == "__main__":
    silence_startup()

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras
import tensorflow as tf

from records import console
from records.format.record_set import RecordSet
from records.format.schema import FeatureSpec
from tests.benchmarks import machine
from tests.benchmarks.many_records import make_many_records
from tfcap.config.encoder import CustomModelConfig
from tfcap.config.experiment import Config
from tfcap.config.loading import load_config
from tfcap.encoders import load_encoder
from tfcap.models import build_model
from tfcap.runs.workdir import Progress, Workdir, resolve_config

CONFIGS = Path(__file__).parents[2] / "configs"
RECIPE, SECOND = CONFIGS / "inception_attention.yaml", CONFIGS / "scst.yaml"
WORDS = 10_000
STOPPED = 75  # exit code of training by SIGTERM
STEPS = 10  # up to the first checkpoint


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=int, default=1_000_000, help="to train on")
    parser.add_argument("--scored", type=int, default=1000, help="photos of dev")
    parser.add_argument("--cells", type=int, default=2, help="of the features, squared")
    parser.add_argument("--folder", help="where to put everything (a temporary one)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        measure(Path(folder), {"train": args.photos, "dev": args.scored}, args.cells)
    return 0


def measure(folder: Path, photos: dict[str, int], cells: int) -> None:
    print(machine.in_words(machine.describe_machine()))
    started = time.monotonic()
    records, first = make_run(folder, photos, cells)
    held = [shard for own in records.manifest.shards.values() for shard in own]
    gigabytes = sum(shard.bytes for shard in held) / 1e9
    minutes = (time.monotonic() - started) / 60
    print(f"records: {gigabytes:.2f} GB, drawn in {minutes:.1f} minutes", flush=True)
    for name, command in commands(folder, records, first).items():
        print(f"{name}: {run(command, folder / 'second')}", flush=True)


def make_run(folder: Path, photos: dict[str, int], cells: int):
    """Records of an encoder that is small, and a run that has learnt nothing."""
    config = experiment(folder, cells)
    encoder = load_encoder(config.encoder)
    spec = FeatureSpec(shape=encoder.shape, dtype="float16")
    (folder / "records").mkdir()
    path = str(folder / "records")
    records = make_many_records(path, photos, WORDS, spec, encoder.info, config)
    workdir = Workdir.create_or_resume(
        str(folder / "first"), resolve_config(config, records), records
    )
    save_untrained(workdir, records)
    return records, workdir.path


def experiment(folder: Path, cells: int) -> Config:
    """The recipe, with an encoder whose features are `cells` x `cells` x 4."""
    convolution = keras.layers.Conv2D(4, 3, 16, "same")
    side = 16 * cells
    keras.Sequential([keras.Input([side, side, 3]), convolution]).save(
        folder / "encoder.keras"
    )
    encoder = CustomModelConfig(
        model=str(folder / "encoder.keras"), preprocessing="unit", pooling="grid"
    )
    return load_config(str(RECIPE)).model_copy(update={"encoder": encoder})


def save_untrained(workdir: Workdir, records: RecordSet) -> None:
    model = build_model(workdir.config, records.manifest, records.vocabulary)
    progress = Progress()
    progress.epoch.assign(1)
    _, best = workdir.last_and_best()
    best.save(tf.train.Checkpoint(model=model, progress=progress))


def commands(folder: Path, records: RecordSet, first: str) -> dict[str, list[str]]:
    held = ["--records", records.directory]
    steps = f"training.checkpoint_steps={STEPS}"
    training = ["--config", str(SECOND), "--init", first, "--set", steps]
    return {
        f"self-critical training, {STEPS} steps": [
            *("train", *training, *held, "--workdir", str(folder / "second")),
        ],
        "evaluate": ["evaluate", "--workdir", first, *held, "--split", "dev"],
        "export": [
            *("export", "--workdir", first, *held, "--output", str(folder / "export"))
        ],
    }


def run(command: list[str], workdir: Path) -> str:
    """Runs `tfcap`; says how long it took, and its peak memory."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "tfcap", *command], stdout=subprocess.DEVNULL
    )
    if command[0] == "train":
        stop_at_checkpoint(process.pid, workdir / "checkpoints" / "last")
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, STOPPED):
        line = shlex.join(["tfcap", *command])
        raise SystemExit(f"exit code {process.returncode} of: {line}")
    minutes = (time.monotonic() - started) / 60
    cpu = (usage.ru_utime + usage.ru_stime) / 60
    return f"{minutes:.1f} minutes, {cpu:.1f} of CPU, {usage.ru_maxrss / 1024:,.0f} MiB"


def stop_at_checkpoint(process: int, folder: Path) -> None:
    """Stops a process at its first checkpoint; one that failed is left to wait for."""
    state = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while not os.waitid(os.P_PID, process, state) and not list(folder.glob("*")):
        time.sleep(0.2)
    os.kill(process, signal.SIGTERM)  # without effect on one that has ended


if __name__ == "__main__":
    sys.exit(console.run_command(main))
