"""The `tfcap` command; each subcommand is a module of `tfcap.cli`."""

import argparse
import sys
from collections.abc import Sequence

from records.console import run_command
from tfcap.cli.average import add_average
from tfcap.cli.caption import add_caption
from tfcap.cli.download import add_download
from tfcap.cli.evaluate import add_evaluate
from tfcap.cli.export import add_export
from tfcap.cli.malloc import keep_freed_memory
from tfcap.cli.serve import add_serve, serve
from tfcap.cli.train import add_train


def main(argv: Sequence[str] | None = None) -> int:
    args = make_parser().parse_args(argv)
    if args.run is not serve:  # a server gives back the memory of large requests
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
