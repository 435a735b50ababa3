"""`tfcap train --seeds N`."""

import argparse
import sys

from records.console import number_table, plain_console
from records.errors import UserError
from tfcap.cli.train import exit_code, print_outcome, train_run, training_config


def train_seeds(args: argparse.Namespace) -> int:
    """Trains one run after another; a signal stops them all."""
    first = check_seeds(args)
    outcomes = {}
    for seed in range(first, first + args.seeds):
        one = for_seed(args, seed)
        print(f"seed {seed}: {one.workdir}", file=sys.stderr)
        outcomes[seed], _ = train_run(one)
        if outcomes[seed].stopped:
            print_outcome(outcomes[seed], one)
            return exit_code(outcomes[seed])
    print_seeds(outcomes, args)
    return 0


def check_seeds(args: argparse.Namespace) -> int:
    """The first seed.

    Raises:
        UserError: there is but one, a single run has the place, or several workers
            would train each.
    """
    from tfcap.runs.seeds import check_no_run, find_seeds
    from tfcap.training.distributed.cluster import find_cluster

    if args.seeds < 2:
        raise UserError(f"--seeds: at least 2; received {args.seeds}")
    check_no_run(args.workdir)
    starts = find_seeds(args.init) if args.init else {}
    settings = training_config(
        changed(args, init=next(iter(starts.values()), args.init))
    ).training
    if not find_cluster(settings.strategy).is_alone:
        raise UserError(
            "--seeds trains on one host; with several workers give the command of each "
            "seed by itself, with --set training.seed=N"
        )
    return settings.seed


def for_seed(args: argparse.Namespace, seed: int) -> argparse.Namespace:
    """The same command for one of the seeds."""
    from tfcap.runs.seeds import seed_folder, start_of

    return changed(
        args,
        workdir=seed_folder(args.workdir, seed),
        set=[*args.set, f"training.seed={seed}"],
        init=start_of(args.init, seed) if args.init else None,
    )


def changed(args: argparse.Namespace, **options) -> argparse.Namespace:
    return argparse.Namespace(**{**vars(args), **options})


def print_seeds(outcomes: dict, args: argparse.Namespace) -> None:
    table = number_table("seed", "epochs", "lowest dev loss", "in epoch")
    for seed, found in outcomes.items():
        loss = f"{found.best_loss:.3f}"
        table.add_row(str(seed), str(found.epochs), loss, str(found.best_epoch))
    console = plain_console()
    console.print(table)
    console.print(
        f"scores: tfcap evaluate --workdir {args.workdir} --records {args.records}\n"
        "all as one model: the same with --ensemble"
    )
