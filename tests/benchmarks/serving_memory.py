"""What `tfcap serve` holds in memory: python -m tests.benchmarks.serving_memory DIR

    python -m tests.benchmarks.serving_memory export/flickr8k
    python -m tests.benchmarks.serving_memory export/flickr8k --captions 10000

Run from the root of the repository. Shown is the memory of the server (VmRSS of
/proc/PID/status) when it is ready, after captions, after explanations and after photos
that come in chunks of a byte; the last line is the most it ever was (VmHWM). Eight
clients ask at a time; photos are JPEGs of 500 x 375 pixels.
"""

from records.tensorflow_logging import silence_startup

if __name__ == "__main__":
    silence_startup()

import argparse
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx

from records.console import run_command
from tests.benchmarks import machine
from tests.benchmarks.serving import draw_photos
from tests.tfcap.serving import served

CLIENTS = 8
Ask = Callable[[httpx.Client, bytes], httpx.Response]


def main(argv: Sequence[str] | None = None) -> int:
    args = make_parser().parse_args(argv)
    return run_command(lambda: run(args))


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.serving_memory",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("model", help="an export")
    parser.add_argument("--captions", type=int, default=200, help="requests (200)")
    parser.add_argument("--explanations", type=int, default=100, help="requests (100)")
    parser.add_argument("--chunked", type=int, default=16, help="requests (16)")
    return parser


def run(args: argparse.Namespace) -> None:
    with served.serving(args.model) as server:
        print(f"{server.memory():6.0f} MiB, ready", flush=True)
        for count, what, ask in (
            (args.captions, "captions", caption),
            (args.explanations, "explanations", explain),
            (args.chunked, "captions of photos in chunks of a byte", drip),
        ):
            ask_all(server, ask, count)
            print(f"{server.memory():6.0f} MiB after {count} {what}", flush=True)
        print(f"{server.memory('VmHWM'):6.0f} MiB at most")
    print(machine.in_words(machine.describe_machine()))


def ask_all(server: served.Server, ask: Ask, count: int) -> None:
    photos = draw_photos(bare=False)

    def one_client(first: int) -> None:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            for i in range(first, count, CLIENTS):
                ask(client, photos[i % len(photos)]).raise_for_status()

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(one_client, range(CLIENTS)))


def caption(client: httpx.Client, photo: bytes) -> httpx.Response:
    return client.post("/caption", files={"photo": photo})


def explain(client: httpx.Client, photo: bytes) -> httpx.Response:
    return client.post("/caption?explain=true", files={"photo": photo})


def drip(client: httpx.Client, photo: bytes) -> httpx.Response:
    whole = client.build_request("POST", "/caption", files={"photo": photo})
    kind, content = whole.headers["content-type"], whole.read()
    chunks = (content[i : i + 1] for i in range(len(content)))
    return client.post("/caption", content=chunks, headers={"Content-Type": kind})


if __name__ == "__main__":
    sys.exit(main())
