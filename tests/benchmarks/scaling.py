"""Computes what training on several devices exchanges, and how it should scale.

    python -m tests.benchmarks.scaling [--devices 8] [--photos 32] [--step_ms 16]
                                       [--trace]

Nothing is timed: the time of a step on one device is an argument. For each recipe it
prints

- the bytes of the gradient, which a step sums over the devices. With --trace the bytes
  are counted in the graph as well, traced for as many logical CPU devices with the
  collective operations that GPUs use. It is not run: TensorFlow's collective operations
  fail over logical CPUs. Tracing takes minutes;
- the speed on all devices, as a multiple of one, if the sum takes the time of a ring
  all-reduce (Patarasuk and Yuan, "Bandwidth Optimal All-reduce Algorithms for Clusters
  of Workstations", 2009) and nothing is computed meanwhile;
- the photos and bytes a second that all devices together must read for that.
"""

from records.tensorflow_logging import silence_startup

if __name__ == "__main__":
    silence_startup()

import argparse
import sys
import tempfile

import tensorflow as tf

from records.console import number_table, plain_console, run_command
from records.format.record_set import RecordSet
from tests.benchmarks.record_set import make_record_set
from tests.benchmarks.training_memory import FEATURES
from tfcap.config.experiment import Config
from tfcap.config.loading import load_config
from tfcap.data.pipeline import training_batches
from tfcap.runs.workdir import Progress
from tfcap.training.state import TrainingState
from tfcap.training.train_step import make_train_step

RECIPES = ("flickr8k", "inception_attention", "inception_transformer")
LINKS = {"450 GB/s": 450e9, "50 GB/s": 50e9, "1.25 GB/s": 1.25e9}


def main() -> int:
    args = make_parser().parse_args()
    cpu = tf.config.list_physical_devices("CPU")[0]
    devices = [tf.config.LogicalDeviceConfiguration()] * args.devices
    tf.config.set_logical_device_configuration(cpu, devices)
    columns = ("gradient", "counted", *LINKS, "photos/s", "input")
    table = number_table("recipe", *columns, title=describe(args))
    for recipe in RECIPES:
        table.add_row(recipe, *cells(recipe, args))
    plain_console().print(table)
    return 0


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--devices", type=int, default=8)
    parser.add_argument("--photos", type=int, default=32, help="a device and step")
    parser.add_argument("--step_ms", type=float, default=16, help="on one device")
    parser.add_argument("--trace", action="store_true", help="count in the graph, too")
    return parser


def describe(args: argparse.Namespace) -> str:
    return (
        f"computed, not measured: {args.devices} devices, {args.photos} photos a step "
        f"on each, {args.step_ms:g} ms a step on one; speed by bandwidth of the link"
    )


def cells(recipe: str, args: argparse.Namespace) -> list[str]:
    """Returns the row of a recipe."""
    features = FEATURES[recipe]
    sizes = f"training.global_batch={args.devices}", "training.schedule.warmup_steps=0"
    config = load_config(recipe, ["training.native_ops=false", *sizes])
    with tempfile.TemporaryDirectory() as folder:
        records = make_record_set(folder, args.devices, features=features)
        size = gradient_bytes(make_state(config, records))
        counted = f"{reduced_bytes(config, records):,}" if args.trace else "-"
    step = args.step_ms / 1000
    speeds = [speed(size, args.devices, step, link) for link in LINKS.values()]
    photos = max(speeds) * args.photos / step
    return [
        f"{size:,}",
        counted,
        *(f"{speed:.2f}" for speed in speeds),
        f"{photos:,.0f}",
        f"{photos * features.bytes / 1e9:.2f} GB/s",
    ]


def make_state(config: Config, records: RecordSet) -> TrainingState:
    return TrainingState(config, records, Progress())


def gradient_bytes(state: TrainingState) -> int:
    """Returns the bytes of a float32 for each trained weight."""
    return 4 * sum(weights.shape.num_elements() for weights in state.vectors.weights)


def reduced_bytes(config: Config, records: RecordSet) -> int:
    """Returns the bytes that a device gives to a step's sums, counted in its graph."""
    devices = tf.config.list_logical_devices("CPU")
    strategy = tf.distribute.MirroredStrategy([device.name for device in devices])
    progress = Progress()
    with strategy.scope():
        state = TrainingState(config, records, progress)
    step = make_train_step(strategy, state.model, state.vectors, config.training)
    batches = strategy.distribute_datasets_from_function(
        lambda context: training_batches(records, config.training, 0, context=context)
    )
    graph = step.get_concrete_function(iter(batches)).graph
    return sum(
        operation.inputs[0].shape.num_elements() * operation.inputs[0].dtype.size
        for operation in graph.get_operations()
        if operation.type.startswith("CollectiveReduce")
        and operation.device.endswith("CPU:0")
    )


def speed(size: int, devices: int, step: float, bandwidth: float) -> float:
    """Returns the speed on several devices, as a multiple of one's.

    >>> speed(4_000_000, 8, 0.016, 1.25e9)
    5.925925925925926

    Args:
        size: bytes that are summed.
        devices: number of them.
        step: seconds of a step on one device.
        bandwidth: of a device's link in each direction, bytes a second.
    """
    exchange = 2 * (devices - 1) / devices * size / bandwidth
    return devices * step / (step + exchange)


if __name__ == "__main__":
    sys.exit(run_command(main))
