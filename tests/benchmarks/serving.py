"""`tfcap serve` under load: python -m tests.benchmarks.serving [--model DIR]

    python -m tests.benchmarks.serving                           # what batching gains
    python -m tests.benchmarks.serving --bare --requests 10000   # the server's own cost

Run from the root of the repository. Two servers, one after the other: one that captions
a photo at a time (`batch=1 delay=0`), and one that batches as it does by default, or as
`--set` says. Clients send JPEGs of 500 x 375 pixels (PNGs of a few for `--bare`), each
the next one when the last is answered, over a connection each. Shown are answers a
second, the server's CPU time for one (a figure for busy machines, too), the time of the
median request and of the slowest hundredth, photos per run of the model, and the
server's memory with what it has grown; a tenth of the requests comes first and does not
count.
"""

from records.tensorflow_logging import silence_startup

if __name__ == "__main__":
    silence_startup()

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from records.console import number_table, plain_console, run_command
from records.errors import UserError
from tests.benchmarks import machine
from tests.benchmarks.photo_set import draw_photo
from tests.benchmarks.random_exports import RandomModel
from tests.tfcap.serving import fakes, served

COLUMNS = ("per s", "CPU, ms", "p50, ms", "p99, ms", "batch", "memory")
ONE_BY_ONE = ("batch=1", "delay=0")
DIFFERENT = 16  # photos


class Load(NamedTuple):
    """How many clients ask, and for how many answers."""

    clients: int
    requests: int


class Found(NamedTuple):
    """What a server did under load.

    Attributes:
        latencies: seconds, one per request.
        seconds: from the first request to the last answer.
        cpu_seconds: of the server, meanwhile.
        batch: photos per run of the model, on average.
        memory_before, memory_after: MiB.
    """

    latencies: list[float]
    seconds: float
    cpu_seconds: float
    batch: float
    memory_before: float
    memory_after: float

    def row(self, name: str) -> list[str]:
        count = len(self.latencies)
        middle, slow = (1000 * np.percentile(self.latencies, p) for p in (50, 99))
        grown = self.memory_after - self.memory_before
        return [
            name,
            f"{count / self.seconds:.1f}",
            f"{1000 * self.cpu_seconds / count:.3g}",
            f"{middle:.0f}",
            f"{slow:.0f}",
            f"{self.batch:.1f}",
            f"{self.memory_after:.0f} {grown:+.0f} MiB",
        ]


def main(argv: Sequence[str] | None = None) -> int:
    args = make_parser().parse_args(argv)
    return run_command(lambda: run(args))


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.serving",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--model", help="an export; InceptionV3 with random weights if not given"
    )
    parser.add_argument(
        "--bare", action="store_true", help="a model of a few operations instead"
    )
    parser.add_argument("--clients", type=int, default=32, help="at a time (32)")
    parser.add_argument("--requests", type=int, default=300, help="in all (300)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="of the second server, as of `tfcap serve`",
    )
    return parser


def run(args: argparse.Namespace) -> None:
    load, about = Load(args.clients, args.requests), machine.describe_machine()
    with tempfile.TemporaryDirectory() as folder:
        model = args.model or write_model(Path(folder), args.bare)
        photos = draw_photos(args.bare)
        table = number_table("", *COLUMNS)
        for settings in (ONE_BY_ONE, args.set):
            name = " ".join(settings) or "default"
            print(f"{load.requests} requests, {name}", file=sys.stderr)
            table.add_row(*measure(model, settings, photos, load).row(name))
    console = plain_console()
    console.print(table)
    console.print(f"{load.clients} clients; {machine.in_words(about)}")


def write_model(folder: Path, bare: bool) -> str:
    if bare:
        return served.export(folder / "bare")
    return RandomModel.make(folder / "records").export(folder / "export")


def draw_photos(bare: bool) -> list[bytes]:
    if bare:
        return [fakes.photo(i + 1) for i in range(DIFFERENT)]
    random = np.random.default_rng(0)
    return [draw_photo(random, (500, 375)) for _ in range(DIFFERENT)]


def measure(
    model: str, settings: Sequence[str], photos: list[bytes], load: Load
) -> Found:
    pairs = dict(setting.split("=", 1) for setting in settings)
    room = {"queue": load.clients, "requests": load.clients}
    with served.serving(model, **room | pairs) as server:
        warming = Load(load.clients, max(load.clients, load.requests // 10))
        asyncio.run(ask(server, photos, warming))
        before, memory = batches(server), server.memory()
        started, cpu = time.perf_counter(), server.cpu_seconds()
        latencies = asyncio.run(ask(server, photos, load))
        seconds = time.perf_counter() - started
        cpu = server.cpu_seconds() - cpu
        photos_run, runs = (now - then for now, then in zip(batches(server), before))
        return Found(
            latencies, seconds, cpu, photos_run / runs, memory, server.memory()
        )


def batches(server: served.Server) -> tuple[float, float]:
    """Photos that the model has captioned, and in how many runs."""
    with server.client() as client:
        lines = client.get("/metrics").text.splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    names = "tfcap_batch_photos_sum", "tfcap_batch_photos_count"
    photos, runs = (float(values[name]) for name in names)
    return photos, runs


async def ask(server: served.Server, photos: list[bytes], load: Load) -> list[float]:
    """Seconds that each request took."""
    numbers = iter(range(load.requests))
    requests = [as_request(photo) for photo in photos]
    clients = [one_client(server, requests, numbers) for _ in range(load.clients)]
    return [took for found in await asyncio.gather(*clients) for took in found]


def as_request(photo: bytes) -> bytes:
    body = served.predict_body(photo)
    head = f"POST {fakes.PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


async def one_client(server: served.Server, requests: list[bytes], numbers) -> list:
    """Asks while there are numbers left, over one connection."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    latencies = []
    for number in numbers:
        started = time.perf_counter()
        writer.write(requests[number % len(requests)])
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        if not head.startswith(b"http/1.1 200"):
            raise UserError(f"the server answers {head.splitlines()[0].decode()}")
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
        latencies.append(time.perf_counter() - started)
    writer.close()
    return latencies


if __name__ == "__main__":
    sys.exit(main())
