"""The subcommand `tfcap download`."""

import argparse

from records.console import add_command


def add_download(commands) -> None:
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
    downloading.print_summary(data_set, args.output, fetched)
    return 0
