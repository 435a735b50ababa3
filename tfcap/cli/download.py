"""The subcommand `tfcap download`."""

import argparse
import os
import shlex
from typing import Any

from records.console import add_command, number_table, plain_console
from tfcap.datasets.catalog import DATA_SETS, DataSet


def add_download(commands: Any) -> None:
    parser = add_command(
        commands,
        "download",
        download,
        "download, check and unpack a published data set; run it again to resume",
        "flickr8k --output data/flickr8k",
    )
    names = ", ".join(f"{name} ({d.holds})" for name, d in DATA_SETS.items())
    parser.add_argument("data_set", choices=DATA_SETS, metavar="NAME", help=names)
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

    data_set = DATA_SETS[args.data_set]
    fetched = downloading.download(
        data_set, args.output, args.origin, args.keep_archives
    )
    print_summary(data_set, args.output, fetched)
    return 0


def print_summary(data_set: DataSet, output: str, fetched: bool) -> None:
    """Prints what is there, and the command to run next."""
    from tfcap.datasets.download import count

    end = f"is in {output}, each file checked"
    print(data_set.name, end if fetched else f"is complete in {output}; nothing to do")
    table = number_table("", "found", "expected")
    for folder in data_set.folders:
        for expected in folder.counts:
            number = count(expected, os.path.join(output, folder.name))
            table.add_row(expected.what, f"{number:,}", f"{expected.number:,}")
    plain_console().print(table)
    lines = filter(None, (data_set.terms, data_set.photos, "next:", *data_set.next))
    print(*(line.format(output=shlex.quote(output)) for line in lines), sep="\n")
