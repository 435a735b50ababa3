"""The subcommand `tfcap info`: what a bug report should say of an installation."""

import argparse
import json
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from typing import Any

from records.console import add_command, plain_console
from records.tensorflow_logging import silence_startup

PACKAGES = (
    "tfcap", "tensorflow", "tensorflow-text", "keras", "numpy", "apache-beam",
    "pydantic", "pillow", "starlette", "tensorboard",
)  # fmt: skip


def add_info(commands: Any) -> None:
    parser = add_command(
        commands,
        "info",
        info,
        "print versions, devices and cache directories, for bug reports",
        "--json",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def info(args: argparse.Namespace) -> int:
    silence_startup()
    facts = gather()
    if args.json:
        print(json.dumps(facts))
        return 0
    from rich.table import Table

    table = Table("what", "value", pad_edge=False, show_header=False)
    for name, value in facts.items():
        table.add_row(name, ", ".join(value) if isinstance(value, list) else value)
    plain_console().print(table)
    return 0


def gather() -> dict[str, str | list[str]]:
    """Returns the facts, by name."""
    return {
        **{name: package_version(name) for name in PACKAGES},
        "python": f"{platform.python_version()}, {sys.executable}",
        "system": f"{platform.platform()}, {os.cpu_count()} cores",
        "devices": devices(),
        "native operations": native_operations(),
        "cache": cache_directories(),
        "clashing packages": clashes() or "none",
    }


def package_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def devices() -> list[str]:
    import tensorflow as tf

    return [device.name for device in tf.config.list_physical_devices()]


def native_operations() -> str:
    """Returns whether training uses native operations; compiles them if necessary."""
    from tfcap.ops.dispatch import compiled

    if compiled():
        return "compiled"
    return "none: training uses TensorFlow's operations"


def cache_directories() -> list[str]:
    from tfcap.ops.compilation import cache_directory

    keras_home = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")
    return [str(cache_directory()), keras_home]


def clashes() -> list[str]:
    """Returns other distributions that have a package of our names."""
    owners = packages_distributions()
    return [
        f"{package} is of {owner}"
        for package in ("records", "tfcap", "beam_jobs")
        for owner in sorted(set(owners.get(package, ())))
        if owner != "tfcap"
    ]
