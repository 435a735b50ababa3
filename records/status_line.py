"""A line on a terminal that says what takes long, and is gone afterwards."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

STDERR = 2

_shown = 0  # characters of the line on the terminal; 0 without one


@contextmanager
def status_line(doing: str) -> Iterator[None]:
    """Shows on standard error what the body does, if that is a terminal.

    The line is written to the file descriptor, because what imports TensorFlow
    redirects it, and is removed at the end of the body or before the next message.

    >>> with status_line("loading TensorFlow, some seconds"):
    ...     import tensorflow

    Args:
        doing: the work and how long it takes, in less than 40 characters.
    """
    global _shown
    if not sys.stderr.isatty():
        yield
        return
    erase()
    os.write(STDERR, doing.encode())
    _shown = len(doing)
    try:
        yield
    finally:
        erase()


def erase(descriptor: int = STDERR) -> None:
    """Removes the line that is shown, if there is one."""
    global _shown
    if _shown:
        os.write(descriptor, b"\r" + b" " * _shown + b"\r")
        _shown = 0
