"""Beam options from the command line, and from a YAML file.

    --beam_options configs/dataflow.yaml

    region: us-central1            --region=us-central1
    experiments: [a, b]            --experiments=a --experiments=b
    labels: {team: vision}         --labels=team=vision
    use_public_ips: false          --no_use_public_ips
    subnetwork: null               as if it were not there

Options of the command line win over the file's; one that may be repeated adds to them.
"""

import argparse
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions

from beam_jobs.runners import registry
from beam_jobs.runners.beam_internals import known_options, option_parser
from beam_jobs.runners.resource_hints import encoder_hints
from records.console import suggest
from records.errors import UserError
from tfcap.config.option_hints import BUILD, as_set, as_set_of_others
from tfcap.config.yaml_files import BoundedLoader, read_yaml


def parse_command(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None
) -> tuple[argparse.Namespace, PipelineOptions]:
    """Parses a job's own options, and Beam's after them; a wrong one exits with 2.

    Raises:
        UserError: the file of `--beam_options` is wrong.
    """
    add_options(parser)
    args, beam_flags = parser.parse_known_args(argv)
    flags = [*read_flags(args.beam_options), *beam_flags]
    try:
        options = parse_beam_options(flags, vars(args))
        encoder_hints(options)
    except UserError as error:
        parser.error(str(error))
    return args, options


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what every job takes besides its own options and Beam's."""
    parser.add_argument(
        "--beam_options",
        metavar="FILE",
        help="YAML file of Beam options, e.g. configs/dataflow.yaml",
    )
    parser.add_argument(
        "--dry_run",
        nargs="?",
        const="",
        metavar="DIR",
        help="show what would be run, and where, and run nothing; with a directory, "
        "write it there as well",
    )


def parse_beam_options(
    flags: Sequence[str], others: Collection[str] = ()
) -> PipelineOptions:
    """Parses Beam's options; refuses an unknown one, which Beam itself would ignore.

    Args:
        flags: as given on the command line.
        others: names of options that are not Beam's, to suggest.

    Raises:
        UserError: names the unknown option and the nearest known one; there is no
            such runner, or it is refused.
    """
    _, unknown = option_parser().parse_known_args(list(flags))
    if unknown and not unknown[0].startswith("-"):
        raise UserError(f"unexpected argument {unknown[0]!r}")
    if unknown:
        name = unknown[0].split("=")[0]
        known = [*known_options(), *(f"--{other}" for other in others)]
        near = suggest(name, known) if name.startswith("--") else []
        cut_short = [option for option in near if option.startswith(name)]
        keys = as_set(unknown, BUILD if "set" in others else None)
        ways = keys or cut_short or as_set_of_others(unknown) or near
        hint = f"; did you mean {' or '.join(ways)}?" if ways else ""
        raise UserError(f"unknown option {name}{hint}")
    options = PipelineOptions(list(flags))
    registry.resolve_runner(options)
    return options


def read_flags(path: str | None) -> list[str]:
    """Returns a file's options as flags; none without a file.

    Raises:
        UserError: the file cannot be read, names an option that Beam has not, or gives
            one a value that it does not take.
    """
    if path is None:
        return []
    known, values = known_options(), read_mapping(path)
    try:
        listed = [flags_of(str(name), value, known) for name, value in values.items()]
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None
    return [flag for flags in listed for flag in flags]


def read_mapping(path: str) -> Mapping[Any, Any]:
    content = read_yaml(path, BoundedLoader, "--beam_options: ") or {}
    if not isinstance(content, dict):
        raise UserError(f"--beam_options: {path} must hold lines such as `region: x`")
    return content


def flags_of(name: str, value: Any, known: Mapping[str, argparse.Action]) -> list[str]:
    if f"--{name}" not in known:
        near = suggest(f"--{name}", known)
        hint = f"; did you mean {near[0].removeprefix('--')!r}?" if near else ""
        raise ValueError(f"Beam has no option {name!r}{hint}")
    if isinstance(value, bool) and known[f"--{name}"].nargs == 0:
        return switch(name, value, known)
    if isinstance(value, dict):
        value = [f"{key}={scalar(name, item)}" for key, item in value.items()]
    items = value if isinstance(value, list) else [] if value is None else [value]
    return [f"--{name}={scalar(name, item)}" for item in items]


def switch(name: str, on: bool, known: Mapping[str, argparse.Action]) -> list[str]:
    """Returns the flag of a switch: its name for true, `no_` and its name for false."""
    if on:
        return [f"--{name}"]
    if f"--no_{name}" in known:
        return [f"--no_{name}"]
    if known[f"--{name}"].default:
        raise ValueError(f"{name} cannot be turned off; leave it out")
    return []


def scalar(name: str, value: Any) -> str:
    if isinstance(value, (dict, list)) or value is None:
        raise ValueError(
            f"{name} takes one value, a list of them or `name: value` lines; "
            f"received {value!r} in it"
        )
    return str(value).lower() if isinstance(value, bool) else str(value)
