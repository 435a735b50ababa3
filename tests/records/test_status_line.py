"""The line that says what takes long: on a terminal only, and gone afterwards."""

import os
import pty
import subprocess
import sys

import pytest

CODE = """
import logging
from records import console
from records.status_line import status_line
def main():
    with status_line("loading, some seconds"):
        logging.getLogger("records").warning("a message") if {message} else None
    print("done", flush=True)
console.run_command(main)
"""
LINE = "loading, some seconds"
GONE = "\r" + " " * len(LINE) + "\r"


def on_terminal(code: str) -> str:
    """Returns what a process writes to its terminal."""
    ours, its = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=its, stderr=its)
    os.close(its)
    parts = []
    try:
        while part := os.read(ours, 1024):
            parts.append(part)
    except OSError:  # Linux ends a terminal's output with EIO
        pass
    assert process.wait() == 0
    return b"".join(parts).decode()


@pytest.mark.parametrize(
    ("message", "expected"), [(False, ""), (True, "a message\r\n")]
)
def test_a_terminal_shows_it_while_the_body_runs(message, expected):
    shown = on_terminal(CODE.format(message=message))
    assert shown == f"{LINE}{GONE}{expected}done\r\n"


def test_a_pipe_does_not():
    command = [sys.executable, "-c", CODE.format(message=False)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("done\n", "")
