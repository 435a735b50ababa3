"""The command `python -m records`: inspects and verifies record sets.

TensorFlow is imported by the subcommands, not here: help and usage errors are instant.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from records.console import add_command, run_command
from records.storage.cache import add_cache
from records.tensorflow_logging import silence_startup
from records.wording import counted

# What an encoder's file is, and the kind of path that names it.
ENCODER_FILES = (("weights", "FILE"), ("model", "PATH"), ("preset", "DIR"))
LIMIT, LIMIT_OF_A_PAGE = 3, 8


def main(argv: Sequence[str] | None = None) -> int:
    args = make_parser().parse_args(argv)
    return run_command(lambda: args.run(args))


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m records",
        description="Show what a record set holds, or prove that it is whole.",
        epilog="example: python -m records inspect data/records/flickr8k --limit 1",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_inspect(commands)
    add_verify(commands)
    return parser


def add_inspect(commands: Any) -> None:
    parser = add_command(
        commands,
        "inspect",
        inspect,
        "show what a record set holds, with sample records of each split",
        "data/records/flickr8k --limit 1",
    )
    add_directory(parser)
    parser.add_argument(
        "--limit",
        type=natural,
        metavar="N",
        help=f"records of each split (default {LIMIT}, on a page {LIMIT_OF_A_PAGE})",
    )
    parser.add_argument(
        "--html", type=page_name, metavar="FILE", help="draw it as a page, in FILE"
    )
    parser.add_argument(
        "--photos",
        metavar="DIR",
        help="directory of the photos, or zips, tars or Parquet files, if they moved",
    )
    add_cache(parser)


def add_verify(commands: Any) -> None:
    parser = add_command(
        commands,
        "verify",
        verify,
        "read every byte of a record set and list all that does not fit",
        "data/records/flickr8k --sample 20",
    )
    add_directory(parser)
    add_sample(parser)


def add_sample(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--sample",
        type=natural,
        default=0,
        metavar="N",
        help="encode N photos of all shards again and compare their features",
    )
    parser.add_argument(
        "--photos", metavar="DIR", help="photos for --sample, if they moved"
    )
    for key, metavar in ENCODER_FILES:
        parser.add_argument(
            f"--encoder_{key}",
            metavar=metavar,
            help=f"for --sample, if the encoder's {key} moved",
        )
    parser.add_argument(
        "--seed",
        type=natural,
        default=0,
        help="seed of the choice of --sample (default 0)",
    )
    parser.set_defaults(wrong_usage=parser.error)


def add_directory(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR", help="directory of the records")
    parser.add_argument("--json", action="store_true", help="one JSON object, no table")


def page_name(text: str) -> str:
    # An existing file is replaced; the suffix keeps that from being another kind.
    if not text.endswith((".html", ".htm")):
        raise argparse.ArgumentTypeError(f"expected a name in .html; received {text!r}")
    return text


def natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected 0 or more; received {text!r}")
    return int(text)


def inspect(args: argparse.Namespace) -> int:
    silence_startup()
    from records.format.record_set import RecordSet
    from records.inspection import html_page, summary
    from records.inspection.samples import sample_splits
    from records.storage.cache import FileCache

    cache = FileCache(args.cache, args.cache_gb)
    record_set, limit = RecordSet.open(args.directory, cache), args.limit
    if limit is None:
        limit = LIMIT_OF_A_PAGE if args.html else LIMIT
    samples = sample_splits(record_set, limit, args.photos)
    if args.html:
        html_page.write_page(record_set, samples, args.html)
    if args.json:
        description = summary.describe(record_set, samples)
        print(json.dumps({**description, "page": args.html}))
    elif args.html:
        drawn = counted(sum(map(len, samples.values())), "record")
        print(f"{drawn} drawn on {args.html}")
    else:
        summary.print_description(record_set, samples)
    return 0


def verify(args: argparse.Namespace) -> int:
    paths = {key: getattr(args, f"encoder_{key}") for key, _ in ENCODER_FILES}
    files = {kind: path for kind, path in paths.items() if path}
    if not args.sample and (args.photos or files or args.seed):
        args.wrong_usage("--photos, --encoder_... and --seed belong to --sample N")
    silence_startup()
    from records.verification import verifier
    from records.verification.feature_check import SampleRequest
    from records.verification.report import print_report

    request = SampleRequest(args.sample, args.photos, files, args.seed)
    report = verifier.verify(args.directory, request if args.sample else None)
    if args.json:
        print(json.dumps(report.summary()))
    else:
        print_report(report)
    return 0 if report.whole else 1


if __name__ == "__main__":
    sys.exit(main())
