"""Beam options from a YAML file: `--beam_options configs/dataflow.yaml`.

    region: us-central1            --region=us-central1
    experiments: [a, b]            --experiments=a --experiments=b
    labels: {team: vision}         --labels=team=vision
    use_public_ips: false          --no_use_public_ips
    subnetwork: null               as if it were not there

Options of the command line win over the file's; one that may be repeated adds to them.
"""

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions

from records.console import suggest
from records.errors import UserError
from tfcap.config.yaml_files import BoundedLoader, read_yaml


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


def read_flags(path: str | None) -> list[str]:
    """Returns a file's options as flags; none without a file.

    Raises:
        UserError: the file cannot be read, names an option that Beam has not, or gives
            one a value that it does not take.
    """
    if path is None:
        return []
    known = known_options()
    return [
        flag
        for name, value in read_mapping(path).items()
        for flag in flags_of(path, str(name), value, known)
    ]


def known_options() -> dict[str, argparse.Action]:
    """Returns Beam's options and ours, each by its flag (`--region`)."""
    known: dict[str, argparse.Action] = {}

    def collect(parser: argparse.ArgumentParser) -> None:
        known.update(parser._option_string_actions)

    # The callback is the one way to see them before Beam 3.0.
    PipelineOptions([]).get_all_options(add_extra_args_fn=collect)
    return known


def read_mapping(path: str) -> Mapping[Any, Any]:
    content = read_yaml(path, BoundedLoader, "--beam_options: ")
    if not isinstance(content or {}, dict):
        raise UserError(f"--beam_options: {path} must hold lines such as `region: x`")
    return content or {}


def flags_of(
    path: str, name: str, value: Any, known: Mapping[str, argparse.Action]
) -> Iterator[str]:
    flag = f"--{name}"
    if flag not in known:
        near = suggest(flag, known)
        hint = f"; did you mean {near[0].removeprefix('--')!r}?" if near else ""
        raise UserError(f"{path}: Beam has no option {name!r}{hint}")
    if isinstance(value, bool) and known[flag].nargs == 0:
        yield from switch(path, name, value, known)
        return
    for item in values_of(path, name, value):
        yield f"{flag}={item}"


def switch(
    path: str, name: str, value: bool, known: Mapping[str, argparse.Action]
) -> Iterator[str]:
    """Yields the flag of a switch: its name for true, `no_` and its name for false."""
    if value:
        yield f"--{name}"
    elif f"--no_{name}" in known:
        yield f"--no_{name}"
    elif known[f"--{name}"].default:
        raise UserError(f"{path}: {name} cannot be turned off; leave it out")


def values_of(path: str, name: str, value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, dict):
        value = [f"{key}={scalar(path, name, item)}" for key, item in value.items()]
    items = value if isinstance(value, list) else [value]
    return [scalar(path, name, item) for item in items]


def scalar(path: str, name: str, value: Any) -> str:
    if isinstance(value, (dict, list)) or value is None:
        raise UserError(
            f"{path}: {name} takes one value, a list of them or `name: value` lines; "
            f"received {value!r} in it"
        )
    return str(value).lower() if isinstance(value, bool) else str(value)
