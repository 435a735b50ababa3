"""The subcommand `tfcap train`, also for runs of several seeds."""

import argparse
import json
import os
import shlex
import signal
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from records.console import add_command
from records.extras import check_extras
from records.interrupts import INTERRUPTED
from records.status_line import status_line
from records.storage.cache import add_cache
from records.tensorflow_logging import silence_startup
from tfcap.cli.options import add_set, command_line, open_records

if TYPE_CHECKING:
    from records.format.record_set import RecordSet
    from tfcap.config.experiment import Config
    from tfcap.training.trainer import Outcome

RUN_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: nothing is wrong, try again
STOPPED = b"stopped by SIGTERM; nothing is lost. Run the same command again to resume\n"


def add_train(commands: Any) -> None:
    parser = add_command(
        commands,
        "train",
        train,
        "train on records; run the same command again to resume",
        "--config flickr8k --records data/records/flickr8k "
        "--workdir runs/flickr8k --set training.epochs=10",
    )
    parser.add_argument(
        "--config",
        required=True,
        help="YAML file, or a name that `tfcap recipes` lists",
    )
    parser.add_argument("--records", required=True, help="directory of the records")
    parser.add_argument(
        "--workdir", required=True, help="directory for checkpoints and curves"
    )
    parser.add_argument(
        "--init",
        metavar="DIR",
        help="work directory of another run: start from its best weights; keys that "
        "--config does not set are taken from its configuration",
    )
    parser.add_argument(
        "--photos",
        metavar="DIR",
        help="photo files shown beside sample captions, if they moved",
    )
    parser.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help="train N runs, one after another, with seeds from training.seed on, in "
        "WORKDIR/seed-0, WORKDIR/seed-1 and so on. With --init each starts from the "
        "run of the same seed, if --init holds runs of several seeds",
    )
    add_cache(parser)
    add_set(parser)
    parser.epilog = (
        f"{parser.epilog}. Exit codes: 0 finished; {RUN_AGAIN} stopped by SIGTERM, "
        f"state saved (run again to resume); {INTERRUPTED} the same by Ctrl-C; 1 "
        "failed; 2 wrong usage"
    )


def train(args: argparse.Namespace) -> int:
    check_extras("train", "evaluate")
    # Training replaces it by a handler that saves. Before and after nothing is unsaved.
    signal.signal(signal.SIGTERM, stop_at_once)
    silence_startup()

    if args.seeds is not None:
        return train_seeds(args)
    outcome, is_chief = train_run(args)
    if is_chief:
        print_outcome(outcome, args)
    return exit_code(outcome)


def stop_at_once(*_: object) -> None:
    os.write(2, STOPPED)  # print may not be entered twice
    sys.exit(RUN_AGAIN)


def train_run(args: argparse.Namespace) -> "tuple[Outcome, bool]":
    """Trains; returns the outcome, and whether this process is the chief worker."""
    from tfcap.memory import FREE_SOME, named_memory_errors
    from tfcap.runs.seeds import check_no_seeds
    from tfcap.runs.workdir import lock_workdir
    from tfcap.training.distributed.cluster import find_cluster
    from tfcap.training.trainer import Trainer

    record_set = open_records(args.records, args)
    config = training_config(args, record_set)
    cluster = find_cluster(config.training.strategy)
    if cluster.is_chief:
        check_no_seeds(args.workdir)
    with lock_workdir(args.workdir) if cluster.is_chief else nullcontext():
        smaller = f"{FREE_SOME}, or choose a smaller model: nothing is trained yet"
        with named_memory_errors(smaller), status_line("making the model"):
            trainer = Trainer(config, record_set, args.workdir, args.photos, cluster)
        return trainer.run(), cluster.is_chief


def exit_code(outcome: "Outcome") -> int:
    codes = {None: 0, signal.SIGTERM: RUN_AGAIN, signal.SIGINT: INTERRUPTED}
    return codes[outcome.stopped]


def training_config(args: argparse.Namespace, records: "RecordSet") -> "Config":
    """Loads the configuration.

    Keys that it leaves out are those of the run of `--init`; without one, those of the
    build of the records.
    """
    from tfcap.config.loading import load_config
    from tfcap.runs.workdir import Workdir, recipe_of

    if not args.init:
        base = recipe_of(records).model_dump(mode="json")
        return load_config(args.config, args.set, base)
    base = Workdir.open(args.init).config.model_dump(mode="json")
    start = f"training.init={json.dumps(args.init)}"
    return load_config(args.config, [*args.set, start], base)


def print_outcome(outcome: "Outcome", args: argparse.Namespace) -> None:
    from records.wording import counted

    if outcome.stopped:
        print(
            f"stopped by {outcome.stopped.name} after step {outcome.steps}; its state "
            "is saved. Run the same command again to resume"
        )
        return
    print(
        f"{counted(outcome.epochs, 'epoch')}, {counted(outcome.steps, 'step')}; lowest "
        f"dev loss{outcome.loss_note} {outcome.best_loss:.3f} in epoch "
        f"{outcome.best_epoch}\n"
        f"curves: tensorboard --logdir {shlex.quote(f'{args.workdir}/tensorboard')}\n"
        f"scores: {evaluate_command(args)}"
    )


def evaluate_command(args: argparse.Namespace) -> str:
    """Returns the command that scores the run, on the test split if there is one."""
    has_test = open_records(args.records, args).manifest.photos("test")
    options = {"workdir": args.workdir, "records": args.records}
    if args.cache:
        options["cache"] = args.cache
    return command_line("evaluate", **options, split="test" if has_test else "dev")


def train_seeds(args: argparse.Namespace) -> int:
    """Trains one run per seed, one after another; a signal stops them all."""
    first = check_seeds(args)
    outcomes = {}
    for seed in range(first, first + args.seeds):
        seed_args = for_seed(args, seed)
        print(f"seed {seed}: {seed_args.workdir}", file=sys.stderr)
        outcome, _ = train_run(seed_args)
        if outcome.stopped:
            print_outcome(outcome, seed_args)
            return exit_code(outcome)
        outcomes[seed] = outcome
    print_seeds(outcomes, args)
    return 0


def check_seeds(args: argparse.Namespace) -> int:
    """Returns the first seed.

    Raises:
        UserError: Fewer than 2 seeds are asked for, the work directory holds a single
            run, or the cluster has several workers.
    """
    from records.errors import UserError
    from tfcap.runs.seeds import check_no_run, find_seeds
    from tfcap.training.distributed.cluster import find_cluster

    if args.seeds < 2:
        raise UserError(f"--seeds: at least 2; received {args.seeds}")
    check_no_run(args.workdir)
    starts = find_seeds(args.init) if args.init else {}
    first = changed(args, init=next(iter(starts.values()), args.init))
    settings = training_config(first, open_records(args.records, args)).training
    if not find_cluster(settings.strategy).is_alone:
        raise UserError(
            "--seeds trains on one host; with several workers give the command of each "
            "seed by itself, with --set training.seed=N"
        )
    return settings.seed


def for_seed(args: argparse.Namespace, seed: int) -> argparse.Namespace:
    """Returns the arguments that train one of the seeds."""
    from tfcap.runs.seeds import seed_folder, start_of

    return changed(
        args,
        workdir=seed_folder(args.workdir, seed),
        set=[*args.set, f"training.seed={seed}"],
        init=start_of(args.init, seed) if args.init else None,
    )


def changed(args: argparse.Namespace, **options: Any) -> argparse.Namespace:
    return argparse.Namespace(**{**vars(args), **options})


def print_seeds(outcomes: "dict[int, Outcome]", args: argparse.Namespace) -> None:
    from records.console import number_table, plain_console

    note = next(iter(outcomes.values())).loss_note
    table = number_table("seed", "epochs", f"lowest dev loss{note}", "in epoch")
    for seed, outcome in outcomes.items():
        loss = f"{outcome.best_loss:.3f}"
        table.add_row(str(seed), str(outcome.epochs), loss, str(outcome.best_epoch))
    console = plain_console()
    console.print(table)
    console.print(
        f"scores: {evaluate_command(args)}\nall as one model: the same with --ensemble"
    )
