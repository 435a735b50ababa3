"""`python -m records`: what a record set holds, and proof that it is whole.

TensorFlow is imported by the subcommands, not here: help and usage errors are instant.
"""

import argparse
import json
import sys
from collections.abc import Sequence

from records.console import add_command, run_command


def main(argv: Sequence[str] | None = None) -> int:
    args = make_parser().parse_args(argv)
    return run_command(lambda: args.run(args))


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m records",
        description="Look into a record set, or prove that it is whole.",
        epilog="example: python -m records inspect records/flickr8k --limit 1",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    inspecting = add_command(
        commands,
        "inspect",
        inspect,
        "show what a record set holds, with sample records of each split",
        "records/flickr8k --limit 1",
    )
    add_directory(inspecting)
    inspecting.add_argument(
        "--limit",
        type=natural,
        default=3,
        metavar="N",
        help="sample records of each split (default 3)",
    )
    verifying = add_command(
        commands,
        "verify",
        verify,
        "read every byte of a record set and list all that does not fit",
        "records/flickr8k",
    )
    add_directory(verifying)
    return parser


def add_directory(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR", help="directory of the records")
    parser.add_argument("--json", action="store_true", help="one JSON object, no table")


def natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected 0 or more; received {text!r}")
    return int(text)


def inspect(args: argparse.Namespace) -> int:
    import records.quiet  # noqa: F401  # isort: skip  # before TensorFlow
    from records import inspection
    from records.reader import RecordSet

    found = inspection.describe(RecordSet.open(args.directory), args.limit)
    if args.json:
        print(json.dumps(found))
    else:
        inspection.print_description(found)
    return 0


def verify(args: argparse.Namespace) -> int:
    import records.quiet  # noqa: F401  # isort: skip  # before TensorFlow
    from records import verification

    verdict = verification.verify(args.directory)
    if args.json:
        print(json.dumps(verdict.summary()))
    else:
        verification.print_verdict(verdict)
    return 0 if verdict.whole else 1


if __name__ == "__main__":
    sys.exit(main())
