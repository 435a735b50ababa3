"""The subcommand `tfcap serve`."""

import argparse
from typing import Any

from records.console import add_command
from records.extras import check_extras
from records.tensorflow_logging import silence_startup


def add_serve(commands: Any) -> None:
    parser = add_command(
        commands,
        "serve",
        serve,
        "serve an exported model over HTTP, with a web page",
        "--model export/flickr8k --port 8501",
    )
    parser.add_argument(
        "--model", required=True, help="directory that `tfcap export` wrote"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8501, help="0: any free port")
    parser.add_argument(
        "--token_file",
        metavar="FILE",
        help="file with a word that clients must send as Authorization: Bearer WORD",
    )
    parser.set_defaults(set_prefix="serving.")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="batch, delay, queue, requests, seconds, max_body_bytes, "
        "max_waiting_bytes, max_photos, max_pixels or max_waiting_pixels (see "
        "ServingConfig in tfcap/config/serving.py); may be repeated",
    )


def serve(args: argparse.Namespace) -> int:
    check_extras("serve")
    silence_startup()
    from tfcap.config.loading import parse_serving
    from tfcap.serving import serve as run

    settings = parse_serving(args.set)
    run(args.model, args.host, args.port, settings, args.token_file)
    return 0
