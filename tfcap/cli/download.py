"""`tfcap download`."""

import argparse

from records.console import add_command


def add_download(commands) -> None:
    parser = add_command(
        commands,
        "download",
        download,
        "fetch, check and unpack a published data set; the same command again goes on",
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
        help="another place that has the same archives, or a directory of them",
    )
    parser.add_argument(
        "--keep_archives",
        action="store_true",
        help="leave the archives beside what is unpacked from them",
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
