"""The subcommand `tfcap download`."""

import argparse
import os
import shlex
from typing import TYPE_CHECKING, Any

from records.console import add_command, number_table, plain_console

if TYPE_CHECKING:
    from tfcap.datasets.catalog import DataSet


def add_download(commands: Any) -> None:
    parser = add_command(
        commands,
        "download",
        download,
        "download, check and unpack a published data set; run it again to resume",
        "flickr8k --output data/flickr8k",
    )
    parser.add_argument(
        "data_set", choices=["flickr8k"], metavar="NAME", help="flickr8k (1.1 GB)"
    )
    parser.add_argument("--output", required=True, help="directory for the data set")
    parser.add_argument(
        "--from",
        dest="origin",
        metavar="URL",
        help="another server or a directory that has the same archives",
    )
    parser.add_argument(
        "--keep_archives",
        action="store_true",
        help="keep the archives beside the unpacked files",
    )


def download(args: argparse.Namespace) -> int:
    from tfcap.datasets import download as downloading
    from tfcap.datasets.catalog import DATA_SETS

    data_set = DATA_SETS[args.data_set]
    fetched = downloading.download(
        data_set, args.output, args.origin, args.keep_archives
    )
    print_summary(data_set, args.output, fetched)
    return 0


def print_summary(data_set: "DataSet", output: str, fetched: bool) -> None:
    """Prints what is there, and the command to run next."""
    from tfcap.datasets.download import count

    end = f"is in {output}, each file checked"
    print(data_set.name, end if fetched else f"is complete in {output}; nothing to do")
    table = number_table("", "found", "expected")
    for archive in data_set.archives:
        for expected in archive.counts:
            number = count(expected, os.path.join(output, archive.folder))
            table.add_row(expected.what, f"{number:,}", f"{expected.number:,}")
    plain_console().print(table)
    print(data_set.terms, "next:", sep="\n")
    print(data_set.next.format(output=shlex.quote(output)))
