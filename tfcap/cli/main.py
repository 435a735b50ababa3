"""The `tfcap` command; each subcommand is a module of `tfcap.cli`, or a plugin."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, version

from records.__main__ import add_inspect, add_verify
from records.console import run_command
from tfcap.cli.average import add_average
from tfcap.cli.caption import add_caption
from tfcap.cli.demo import add_demo
from tfcap.cli.download import add_download
from tfcap.cli.evaluate import add_evaluate
from tfcap.cli.export import add_export
from tfcap.cli.info import add_info
from tfcap.cli.launch import add_launch
from tfcap.cli.malloc import keep_freed_memory
from tfcap.cli.options import explain_unknown
from tfcap.cli.plugins import describe_plugin, find_plugins, load_plugin
from tfcap.cli.recipes import add_recipes
from tfcap.cli.serve import add_serve, serve
from tfcap.cli.train import add_train

ADD = {
    "inspect": add_inspect,
    "verify": add_verify,
    "download": add_download,
    "train": add_train,
    "launch": add_launch,
    "average": add_average,
    "evaluate": add_evaluate,
    "export": add_export,
    "caption": add_caption,
    "serve": add_serve,
    "demo": add_demo,
    "recipes": add_recipes,
    "info": add_info,
}


def main(argv: Sequence[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    # Entry points are read only for a subcommand that is none of ours, and for help.
    plugins = {} if argv and argv[0] in ADD else find_plugins()
    if argv and argv[0] in plugins:
        return run_command(lambda: load_plugin(plugins[argv[0]])(argv[1:]))
    parser = make_parser(plugins)
    args, unknown = parser.parse_known_args(argv)
    if unknown:
        parser.error(explain_unknown(unknown, vars(args).get("set_prefix")))
    if args.run is not serve:  # a server gives back the memory of large requests
        keep_freed_memory()
    return run_command(lambda: args.run(args))


def make_parser(
    plugins: Mapping[str, EntryPoint] | None = None,
) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tfcap",
        description="Turn captioned photos into a captioning model that you can serve.",
        epilog="start with: tfcap demo",
    )
    parser.add_argument(
        "--version", action="version", version=f"tfcap {version('tfcap')}"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, entry in (plugins or {}).items():
        commands.add_parser(name, help=describe_plugin(entry))
    # TensorFlow is imported when a command runs: help and usage errors are instant.
    for add in ADD.values():
        add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
