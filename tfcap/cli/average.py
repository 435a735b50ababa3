"""The subcommand `tfcap average`."""

import argparse
from typing import Any

from records.console import add_command
from records.status_line import status_line
from records.tensorflow_logging import silence_startup
from tfcap.cli.options import command_line


def add_average(commands: Any) -> None:
    parser = add_command(
        commands,
        "average",
        average,
        "average the weights of a run's checkpoints into a new work directory",
        "--workdir runs/flickr8k --checkpoints 5 --output runs/flickr8k-mean",
    )
    parser.add_argument("--workdir", required=True, help="work directory of the run")
    parser.add_argument(
        "--checkpoints",
        type=int,
        required=True,
        metavar="N",
        help="number of checkpoints to average, at most training.keep_checkpoints",
    )
    parser.add_argument(
        "--of",
        choices=["last", "best"],
        default="last",
        help="the newest checkpoints (the default), or those with the lowest dev loss; "
        "the latter hold the averaged weights if training.average_decay is set",
    )
    parser.add_argument("--output", required=True, help="the new work directory")


def average(args: argparse.Namespace) -> int:
    silence_startup()
    from records.errors import UserError
    from tfcap.runs.checkpoint_average import average as write
    from tfcap.runs.workdir import Workdir

    if args.checkpoints < 2:
        raise UserError(f"--checkpoints: at least 2; received {args.checkpoints}")
    with status_line("averaging checkpoints"):
        mean = write(Workdir.open(args.workdir), args.checkpoints, args.of, args.output)
    print(
        f"{args.output}: mean of {len(mean.steps)} checkpoints, after steps "
        f"{', '.join(map(str, mean.steps))}\n"
        f"scores: {command_line('evaluate', workdir=args.output, records='DIR')}"
    )
    return 0
