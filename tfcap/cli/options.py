"""The option `--set KEY=VALUE`, and lines that commands print for users to copy."""

import argparse
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from records.format.record_set import RecordSet
    from tfcap.config.decoding import ResolvedDecoding
    from tfcap.runs.workdir import Workdir


def add_set(parser: argparse.ArgumentParser, prefix: str = "") -> None:
    """Adds --set, for the keys of the configuration that begin with a prefix."""
    parser.set_defaults(set_prefix=prefix)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key of the configuration; may be repeated",
    )


def open_records(path: str, args: argparse.Namespace) -> "RecordSet":
    """Opens a record set with the cache that the command line names."""
    from records.format.record_set import RecordSet
    from records.storage.cache import FileCache

    return RecordSet.open(path, FileCache(args.cache, args.cache_gb))


def command_line(command: str, *arguments: str, **options: str) -> str:
    """Returns a tfcap command as a shell takes it.

    >>> command_line("caption", "a.jpg", model="my export")
    "tfcap caption --model 'my export' a.jpg"
    """
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return shlex.join(["tfcap", command, *words, *arguments])


def explain_unknown(arguments: Sequence[str], prefix: str | None) -> str:
    """Describes arguments that no option takes.

    >>> explain_unknown(["--epochs", "3"], "")
    'unrecognized arguments: --epochs 3. Did you mean --set training.epochs=3?'

    Args:
        arguments: of the command line.
        prefix: of the keys that --set takes; None if the command has no --set.
    """
    from tfcap.config.option_hints import as_set, as_set_of_others

    ways = as_set(arguments, prefix) or as_set_of_others(arguments)
    hint = f". Did you mean {' or '.join(ways)}?" if ways else ""
    return f"unrecognized arguments: {' '.join(arguments)}{hint}"


def decoding_config(workdir: "Workdir", args: argparse.Namespace) -> "ResolvedDecoding":
    """Returns the run's decoding settings with this command's overrides."""
    from records.errors import UserError
    from tfcap.config.loading import override
    from tfcap.decoding.searching import check_words
    from tfcap.runs.workdir import CONFIG

    for override_text in args.set:
        if not override_text.startswith("decoding."):
            raise UserError(
                f"--set {override_text}: after training only decoding.* can be set"
            )
    decoding = override(workdir.config, args.set, workdir.folder(CONFIG)).decoding
    decoding = decoding.resolve_max_length(workdir.manifest.longest_training_caption)
    check_words(decoding, workdir.vocabulary, workdir.manifest.tokenizer)
    return decoding
