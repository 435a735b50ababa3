"""The subcommand `tfcap demo`: every step, on a data set that it draws."""

import argparse
import os
import shlex
import sys
from collections.abc import Iterator
from typing import Any

from records.console import add_command
from records.extras import check_extras
from records.interrupts import handle_ctrl_c

PHOTOS = {"train": 1000, "dev": 100, "test": 200}
CAPTIONED = 5  # held-out photos that the exported model captions at the end


def add_demo(commands: Any) -> None:
    parser = add_command(
        commands,
        "demo",
        demo,
        "draw photos, build records, train, score, export and caption, in 4 minutes",
        "--output build/demo",
    )
    parser.add_argument(
        "--output",
        default="tfcap_demo",
        metavar="DIR",
        help="directory for all results (default tfcap_demo)",
    )
    for split, count in PHOTOS.items():
        parser.add_argument(
            f"--{split}",
            type=int,
            default=count,
            metavar="N",
            help=f"photos of this split (default {count})",
        )


def demo(args: argparse.Namespace) -> int:
    """Runs each step as a process and stops at the first that fails."""
    from records.errors import UserError

    check_extras("beam", "train", "evaluate")
    if os.path.isdir(args.output) and os.listdir(args.output):
        raise UserError(
            f"--output: {args.output} is not empty; remove it or name another directory"
        )
    for step in steps(args):
        print(f"\n$ {shlex.join(step)}", flush=True)
        code = run_step(step)
        if code:
            return code
    print_results(args.output)
    return 0


def steps(args: argparse.Namespace) -> Iterator[list[str]]:
    """Yields the command lines of the demo, in order."""
    names = ("photos", "records", "run", "export", "gallery")
    photos, records, run, export, gallery = (
        os.path.join(args.output, name) for name in names
    )
    text = os.path.join(photos, "text")
    counts = [f"--{split}={getattr(args, split)}" for split in PHOTOS]
    at = [f"--workdir={run}", f"--records={records}"]
    yield ["python", "-m", "tfcap.datasets.synthetic", photos, *counts]
    yield [
        *["tfcap", "build", "--config=demo"],
        f"--photos={os.path.join(photos, 'images')}",
        f"--captions={os.path.join(text, 'Flickr8k.token.txt')}",
        *[f"--splits={text}", f"--output={records}"],
    ]
    yield ["tfcap", "inspect", records, "--limit=1"]
    yield ["tfcap", "verify", records]
    yield ["tfcap", "train", "--config=demo", *at]
    yield ["tfcap", "evaluate", *at, "--split=test", f"--gallery={gallery}"]
    yield ["tfcap", "export", f"--workdir={run}", f"--output={export}"]
    yield ["tfcap", "caption", f"--model={export}", *held_out(photos)]


def held_out(photos: str) -> list[str]:
    """Returns the paths of the first photos of the test split."""
    path = os.path.join(photos, "text", "Flickr_8k.testImages.txt")
    with open(path, encoding="utf-8") as lines:
        names = lines.read().split()[:CAPTIONED]
    return [os.path.join(photos, "images", name) for name in names]


def run_step(step: list[str]) -> int:
    """Runs a step as a process; returns its exit code.

    Ctrl-C comes to both processes. The step ends by itself, and training saves first.
    """
    import subprocess

    program, *rest = step
    module = rest if program == "python" else ["-m", "tfcap", *rest]
    with handle_ctrl_c(lambda *_: None):
        return subprocess.run([sys.executable, *module], check=False).returncode


def print_results(output: str) -> None:
    output = os.path.abspath(output)
    results = {"gallery": "gallery/index.html", "model": "export", "records": "records"}
    print()
    for name, path in results.items():
        print(f"{name + ':':9} {os.path.join(output, path)}")
    model = shlex.quote(os.path.join(output, "export"))
    print(f"a page to drop photos on: tfcap serve --model {model}")
