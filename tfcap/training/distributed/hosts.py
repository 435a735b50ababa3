"""Reads the hosts of `tfcap launch`, and makes the commands that start their workers.

A host is `[user@]name[:port]`. ssh connects to `user@name`, with the settings of its
own configuration; the workers of a run reach each other at `name:port`.
"""

import json
import re
import shlex
import socket
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version

from records.errors import UserError
from records.storage.files import read_file, reason

PORT = 2222
HOST = re.compile(r"(?:\w[\w.-]*@)?(\w[\w.-]*)(?::(\d{1,5}))?", re.ASCII)
LOCALHOST = "127.0.0.1"
SSH = "ssh -T -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=10"
SSH_FAILED = 255
CHECK_SECONDS = 60


@dataclass(frozen=True)
class Command:
    """A command line that starts a worker.

    Attributes:
        name: the worker's name for messages.
        argv: the command line.
        environment: variables besides those of this process.
    """

    name: str
    argv: list[str]
    environment: dict[str, str]


@dataclass(frozen=True)
class Host:
    """A host that ssh reaches.

    Attributes:
        login: the host, as ssh takes it.
        address: host:port of its worker.
    """

    login: str
    address: str


def read_hosts(texts: Iterable[str]) -> list[Host]:
    """Reads hosts; the first one is the chief's.

    Raises:
        UserError: one is no `[user@]name[:port]`, two are the same, or there is one.
    """
    hosts = [read_host(text) for text in texts]
    addresses = [host.address for host in hosts]
    for address in addresses:
        if addresses.count(address) > 1:
            raise UserError(
                f"{address} is named {addresses.count(address)} times; name a host "
                "once, or give its workers different ports"
            )
    if len(hosts) < 2:
        raise UserError(
            f"at least 2 hosts are expected; received {len(hosts)}. One worker is the "
            "command without `tfcap launch`"
        )
    return hosts


def read_host(text: str) -> Host:
    match = HOST.fullmatch(text)
    if not match or not 0 < int(match[2] or PORT) < 1 << 16:
        raise UserError(
            f"{text!r} is no host; expected [user@]name[:port], as in gpu1 or "
            f"me@gpu1:{PORT}"
        )
    login = text.partition(":")[0]
    return Host(login, f"{match[1]}:{match[2] or PORT}")


def read_hosts_file(path: str) -> list[Host]:
    """Reads a file with a host a line; empty lines and `#` comments are left out.

    Raises:
        UserError: it cannot be read, or its hosts are wrong.
    """
    try:
        text = read_file(path).decode()
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else "it is no text"
        raise UserError(f"--hosts_file: cannot read {path}: {why}") from None
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return read_hosts(line for line in lines if line)


def tf_config(addresses: Sequence[str], number: int) -> str:
    """Returns TF_CONFIG of a worker; the first one is the chief."""
    task = {"type": "worker", "index": number}
    return json.dumps({"cluster": {"worker": list(addresses)}, "task": task})


def local_commands(argv: Sequence[str], count: int) -> list[Command]:
    """Returns the commands of workers on this machine, which see no GPU."""
    addresses = free_addresses(count)
    hidden = {"CUDA_VISIBLE_DEVICES": ""}
    return [
        Command(
            name=f"worker {number} ({address})",
            argv=list(argv),
            environment={"TF_CONFIG": tf_config(addresses, number), **hidden},
        )
        for number, address in enumerate(addresses)
    ]


def free_addresses(count: int) -> list[str]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for socket_ in sockets:
            socket_.bind((LOCALHOST, 0))
        return [f"{LOCALHOST}:{s.getsockname()[1]}" for s in sockets]


def remote_commands(
    argv: Sequence[str], hosts: Sequence[Host], directory: str
) -> list[Command]:
    """Returns the commands of workers on other hosts, each through ssh.

    Args:
        argv: the command line on each host.
        hosts: where it runs.
        directory: working directory on each host.
    """
    addresses = [host.address for host in hosts]
    commands = []
    for number, host in enumerate(hosts):
        variable = f"TF_CONFIG={tf_config(addresses, number)}"
        line = ssh(host, ["env", variable, *argv], directory)
        commands.append(Command(f"worker {number} ({host.address})", line, {}))
    return commands


def ssh(host: Host, argv: Sequence[str], directory: str) -> list[str]:
    """Returns the command line that runs another one on a host."""
    remote = f"cd {shlex.quote(directory)} && exec {shlex.join(argv)}"
    return [*SSH.split(), host.login, remote]


def check_hosts(hosts: Sequence[Host], python: str, directory: str) -> None:
    """Checks that ssh reaches each host, and that it has this version of tfcap.

    Raises:
        UserError: it does not, or ssh is not installed.
    """
    version_of = [python, "-m", "tfcap", "--version"]
    try:
        checks = [
            subprocess.Popen(
                ssh(host, version_of, directory),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            )
            for host in hosts
        ]
    except FileNotFoundError:
        raise UserError(
            "ssh is not installed, and --hosts starts workers by it"
        ) from None
    try:
        for host, check in zip(hosts, checks, strict=True):
            output, errors = check.communicate(timeout=CHECK_SECONDS)
            check_host(
                host, check.returncode, output, errors, f"{python} in {directory}"
            )
    except subprocess.TimeoutExpired:
        raise UserError(
            f"{host.login} has not answered for {CHECK_SECONDS} s; try "
            f"ssh {host.login} true"
        ) from None
    finally:
        for check in checks:
            check.kill()


def check_host(host: Host, code: int, output: str, errors: str, program: str) -> None:
    """Raises UserError unless a host has answered with this version of tfcap."""
    last = (errors.strip() or output.strip() or "no message").splitlines()[-1]
    if code == SSH_FAILED:
        raise UserError(
            f"ssh cannot reach {host.login}: {last}. `ssh -o BatchMode=yes "
            f"{host.login} true` must succeed, without a password"
        )
    if code:
        raise UserError(
            f"{host.login} cannot run tfcap by {program}: {last}. --python and "
            "--directory name them as they are on the hosts"
        )
    expected = f"tfcap {version('tfcap')}"
    received = (output.strip().splitlines() or [""])[-1]
    if received != expected:
        raise UserError(
            f"{host.login} has {received!r}, this machine {expected!r}; install the "
            "same version on all"
        )
