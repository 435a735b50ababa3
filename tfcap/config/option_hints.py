"""Says which key of the configuration an unknown option of a command line names."""

import shlex
from collections.abc import Iterator, Sequence

from tfcap.config.experiment import RecipeOfRecords
from tfcap.config.loading import find_keys
from tfcap.config.serving import ServingConfig

BUILD = tuple(f"{section}." for section in RecipeOfRecords.model_fields)
SERVE = "serving."  # stands for the keys of ServingConfig, which are in no section
# The command whose --set takes the keys of a section.
COMMANDS = {
    **dict.fromkeys(RecipeOfRecords.model_fields, "build"),
    "model": "train",
    "training": "train",
    "decoding": "export",
}

Prefixes = str | tuple[str, ...]


def as_set(arguments: Sequence[str], prefix: Prefixes | None) -> list[str]:
    """Returns the --set of each key that is written as an option.

    >>> as_set(["--epochs", "3"], "")
    ['--set training.epochs=3']

    Args:
        arguments: that no option of the command takes.
        prefix: of the keys that the command's --set takes; None if it has no --set.
    """
    pairs = [] if prefix is None else list_overrides(arguments, prefix)
    return [f"--set {override}" for _, override in pairs]


def as_set_of_others(arguments: Sequence[str]) -> list[str]:
    """Returns the same, with the command whose --set takes the key.

    >>> as_set_of_others(["--epochs", "3"])
    ['tfcap train ... --set training.epochs=3']
    """
    return [
        f"tfcap {COMMANDS[key.partition('.')[0]]} ... --set {override}"
        for key, override in list_overrides(arguments, "")
    ]


def list_overrides(
    arguments: Sequence[str], prefix: Prefixes
) -> Iterator[tuple[str, str]]:
    """Yields each key that is written as an option, and its `key=value`."""
    for argument, following in zip(arguments, [*arguments[1:], "--"]):
        option, equals, value = argument.partition("=")
        if not equals:
            value = "VALUE" if following.startswith("--") else following
        if option.startswith("--"):
            for key in keys_named(option[2:].replace("-", "_"), prefix):
                yield key, shlex.quote(f"{key}={value}")


def keys_named(name: str, prefix: Prefixes) -> list[str]:
    if prefix == SERVE:
        return [name] if name in ServingConfig.model_fields else []
    return find_keys(name, prefix)
