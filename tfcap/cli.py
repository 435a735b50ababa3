"""The `tfcap` command; its subcommands are in `tfcap/commands/`."""

import argparse
import sys
from collections.abc import Sequence

from records.console import run_command
from tfcap.allocation import keep_freed_memory
from tfcap.commands.average import add_average
from tfcap.commands.caption import add_caption
from tfcap.commands.download import add_download
from tfcap.commands.evaluate import add_evaluate
from tfcap.commands.export import add_export
from tfcap.commands.serve import add_serve, serve
from tfcap.commands.train import add_train


def main(argv: Sequence[str] | None = None) -> int:
    args = make_parser().parse_args(argv)
    if args.run is not serve:  # much of what that one frees were strangers' bodies
        keep_freed_memory()
    return run_command(lambda: args.run(args))


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tfcap", description="Train, evaluate, export and serve photo captioners."
    )
    # TensorFlow is imported when a command runs: help and usage errors are instant.
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_download(commands)
    add_train(commands)
    add_average(commands)
    add_evaluate(commands)
    add_export(commands)
    add_caption(commands)
    add_serve(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
