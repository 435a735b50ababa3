"""Photos a second of training steps, with the encoder trained along and without.

    python -m tests.benchmarks.fine_tuning --records DIR --config FILE
        [--set section.key=value] [--from_layer NAME] [--steps 4]

Run from the root of the repository, on records that keep their photos and with the
configuration they were built by. One process, one measure after the other: the step on
the records' features; with the encoder trained, all of it and from a layer on.
"""

from records.tensorflow_logging import silence_startup

if __name__ == "__main__":
    silence_startup()

import argparse
import sys
import time
from collections.abc import Callable

from records.console import run_command
from records.format.record_set import RecordSet
from tests.benchmarks import machine
from tests.benchmarks.common import seconds
from tfcap.config.experiment import Config
from tfcap.config.loading import load_config
from tfcap.data.pipeline import training_batches
from tfcap.models import build_model
from tfcap.runs.workdir import resolve_config
from tfcap.training.distributed.strategies import make_strategy
from tfcap.training.optimizers import make_optimizer, make_schedule
from tfcap.training.train_step import make_train_step
from tfcap.training.vectors import Vectors

AHEAD = 8  # batches read more than there are steps: some are ready beforehand


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", required=True)
    parser.add_argument("--config", required=True)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--from_layer", help="of the third measure")
    parser.add_argument("--steps", type=int, default=4, help="timed, of each")
    args = parser.parse_args()
    print(machine.in_words(machine.describe_machine()))
    for name, own in variants(args.from_layer).items():
        config = load_config(args.config, [*args.set, *own])
        measure(name, config, RecordSet.open(args.records), args.steps)
    return 0


def variants(from_layer: str | None) -> dict[str, list[str]]:
    """Of each step its name, and what it sets."""
    tuned = "training.fine_tuning"
    found = {
        "captioner alone": [f"{tuned}=null"],
        "all of the encoder": [f"{tuned}={{}}"],
    }
    if from_layer:
        found[f"from {from_layer} on"] = [f"{tuned}={{from_layer: {from_layer}}}"]
    return found


def measure(name: str, config: Config, records: RecordSet, steps: int) -> None:
    """Prints what a step takes, and its input alone."""
    config = resolve_config(config, records)
    strategy = make_strategy("auto")
    with strategy.scope():
        model = build_model(config, records.manifest, records.vocabulary)
        schedule = make_schedule(config.training.schedule, steps, 1)
        optimizer = make_optimizer(schedule, config.training, model)
        vectors = Vectors(model, optimizer)
    step = make_train_step(strategy, model, vectors, config.training)

    def epochs(context=None):
        return training_batches(records, config.training, 0, context=context).repeat()

    batches = iter(strategy.distribute_datasets_from_function(epochs))
    alone = iter(epochs())
    print(name)
    show("step", lambda: step(batches).numpy(), config, steps)
    show("its input alone", lambda: next(alone), config, steps + AHEAD)


def show(name: str, work: Callable[[], object], config: Config, count: int) -> None:
    """Prints rate and CPU time; the first batch, until all is ready, is not timed."""
    work()
    begun = time.process_time()
    took = seconds(lambda: [work() for _ in range(count)])
    photos = count * config.training.global_batch
    each = 1000 * (time.process_time() - begun) / photos
    print(f"  {name}: {photos / took:,.1f} photos/s, {each:,.1f} ms of CPU a photo")


if __name__ == "__main__":
    sys.exit(run_command(main))
