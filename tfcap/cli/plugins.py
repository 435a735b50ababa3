"""Subcommands of other packages, found by their entry points.

A distribution adds a subcommand with an entry point in the group `tfcap.commands`:

    [project.entry-points."tfcap.commands"]
    build = "beam_jobs.subcommands:build"

The object is a function that takes the arguments after the subcommand's name and
returns the exit code. The first line of its docstring is the help. Its module should
import what is slow only when it runs, because `tfcap --help` imports the module.
"""

from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points

from records.errors import UserError

GROUP = "tfcap.commands"
Command = Callable[[Sequence[str]], int]


def find_plugins() -> dict[str, EntryPoint]:
    """Returns the subcommands of other packages, by name."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def load_plugin(entry: EntryPoint) -> Command:
    """Imports a subcommand.

    Raises:
        UserError: the package that adds it cannot be imported.
    """
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"tfcap {entry.name}: cannot import {entry.value} ({error}); reinstall the "
            "package that adds it"
        ) from None


def describe_plugin(entry: EntryPoint) -> str:
    """Returns the help of a subcommand, from the first line of its docstring."""
    try:
        line = (load_plugin(entry).__doc__ or "").strip().partition("\n")[0]
    except UserError as error:
        return str(error)
    return line[:1].lower() + line[1:].rstrip(".")
