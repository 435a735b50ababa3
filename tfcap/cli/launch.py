"""The subcommand `tfcap launch`: training with several workers."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from records.console import add_command
from tfcap.cli.train import RUN_AGAIN, add_train

if TYPE_CHECKING:
    from tfcap.training.distributed.hosts import Command

LEAST_HANG_TIMEOUT = 120  # a chief without a terminal prints a line a minute
EXAMPLE = "--processes 2 -- train --config demo --records RECORDS --workdir WORKDIR"


def add_launch(commands: Any) -> None:
    parser = add_command(
        commands,
        "launch",
        launch,
        "train with several workers: processes of this machine, or hosts by ssh",
        EXAMPLE,
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--hosts",
        metavar="A,B",
        help="a worker on each host, started by ssh: [user@]name[:port], the chief's "
        "first. The workers reach each other at name:port; the port is 2222",
    )
    where.add_argument(
        "--hosts_file", metavar="FILE", help="the same, from a file: a host a line"
    )
    where.add_argument(
        "--processes",
        type=int,
        metavar="N",
        help="N workers on the CPUs of this machine, as a trial",
    )
    parser.add_argument(
        "--restarts",
        type=int,
        default=0,
        metavar="N",
        help="start all workers again from the last checkpoint, at most N times, when "
        "one has failed (default 0)",
    )
    parser.add_argument(
        "--hang_timeout",
        type=float,
        default=1800,
        metavar="SECONDS",
        help="no line from any worker for so long is a failure; at least "
        f"{LEAST_HANG_TIMEOUT}, or 0 for never (default 1800). TensorFlow itself "
        "notices a worker that does not answer after 10 s",
    )
    parser.add_argument(
        "--grace",
        type=float,
        default=10,
        metavar="SECONDS",
        help="time between SIGTERM and SIGKILL, for workers that are stopped because "
        "another one has failed (default 10)",
    )
    parser.add_argument(
        "--python",
        default=sys.executable,
        metavar="PATH",
        help="the interpreter on the hosts (default: the path of this one)",
    )
    parser.add_argument(
        "--directory",
        default=os.curdir,
        metavar="DIR",
        help="working directory on the hosts (default: the path of this one)",
    )
    parser.add_argument(
        "command",
        nargs=argparse.REMAINDER,
        metavar="-- train ...",
        help="the training command",
    )
    parser.epilog = (
        f"{parser.epilog}. Exit codes: those of train; if a worker fails, its own, or "
        f"128 and the number of the signal that ended it; {os.EX_SOFTWARE} if they "
        f"hang. After SIGTERM all workers save their state ({RUN_AGAIN}), and after "
        "Ctrl-C (130)"
    )


def launch(args: argparse.Namespace) -> int:
    check(args)
    from tfcap.training.distributed.launcher import Launcher

    commands = make_commands(args, check_command(args.command))
    timeout = args.hang_timeout or inf
    return Launcher(commands, args.restarts, timeout, args.grace).run()


def check(args: argparse.Namespace) -> None:
    """Raises UserError if a number is out of its range."""
    from records.errors import UserError

    if args.processes is not None and args.processes < 2:
        raise UserError(
            f"--processes: at least 2; received {args.processes}. One worker is the "
            "command without `tfcap launch`"
        )
    for name in ("restarts", "grace"):
        if not 0 <= vars(args)[name] < inf:
            raise UserError(f"--{name}: 0 or more; received {vars(args)[name]:g}")
    if args.hang_timeout and not args.hang_timeout >= LEAST_HANG_TIMEOUT:
        raise UserError(
            f"--hang_timeout: at least {LEAST_HANG_TIMEOUT}, because a worker that "
            "trains prints one line a minute, or 0 for never; received "
            f"{args.hang_timeout:g}"
        )


def check_command(words: Sequence[str]) -> list[str]:
    """Returns the words of the training command.

    Raises:
        UserError: there is none, or several workers cannot run it.
        SystemExit: its options are wrong.
    """
    from records.errors import UserError

    words = list(words[words[:1] == ["--"] :])
    if not words:
        raise UserError(
            f"no command to start; expected one as in tfcap launch {EXAMPLE}"
        )
    if words[0] == "build":
        raise UserError(
            "tfcap launch starts workers of `train`; a build has its workers from "
            "Beam: tfcap build --runner"
        )
    if words[0] != "train":
        raise UserError(
            f"tfcap launch starts workers of `train`; received {words[0]!r}, which "
            "runs in one process"
        )
    parser = argparse.ArgumentParser(prog="tfcap", allow_abbrev=False)
    add_train(parser.add_subparsers())
    if parser.parse_args(words).seeds is not None:
        raise UserError(
            "--seeds trains run after run on one host; launch each seed by itself, "
            "with --set training.seed=N"
        )
    return words


def make_commands(
    args: argparse.Namespace, words: Sequence[str]
) -> "Callable[[], list[Command]]":
    """Returns what makes the command of each worker, after a check of the hosts."""
    from tfcap.training.distributed import hosts
    from tfcap.training.distributed.guard import guarded

    python = sys.executable if args.processes else args.python
    argv = guarded([python, "-m", "tfcap", *words], args.grace, python)
    if args.processes:
        return lambda: hosts.local_commands(argv, args.processes)
    if args.hosts_file:
        machines = hosts.read_hosts_file(args.hosts_file)
    else:
        machines = hosts.read_hosts(args.hosts.split(","))
    directory = os.path.abspath(args.directory)
    hosts.check_hosts(machines, args.python, directory)
    return lambda: hosts.remote_commands(argv, machines, directory)
