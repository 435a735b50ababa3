"""Silences what TensorFlow writes when it starts, and shortens its error messages."""

import importlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from records.status_line import STDERR, status_line

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
ERRORS_ONLY = "3"
# The operation that failed, which TensorFlow adds to a message at both ends.
OPERATION = re.compile(r"\{\{.*?\}\} | \[Op:.*", re.DOTALL)


def silence_startup() -> None:
    """Imports TensorFlow quietly; commands call this before anything else imports it.

    TensorFlow 2.21 writes its first lines before it reads TF_CPP_MIN_LOG_LEVEL, so
    standard error is redirected while it is imported. The level is set for this process
    and for those that it starts. Where TF_CPP_MIN_LOG_LEVEL has another value already,
    nothing is silenced.
    """
    if os.environ.setdefault(LEVEL, ERRORS_ONLY) == ERRORS_ONLY:
        with status_line("loading TensorFlow, some seconds"), discard_stderr():
            importlib.import_module("tensorflow")


def without_operation(message: str) -> str:
    """Returns an error message of TensorFlow without the operation that failed.

    >>> without_operation("{{function_node __wrapped__Fill}} no memory [Op:Fill]")
    'no memory'
    """
    return OPERATION.sub("", message)


@contextmanager
def discard_stderr() -> Iterator[None]:
    """Sends the process's standard error, that of C++ code too, to the null device."""
    original = os.dup(STDERR)
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, STDERR)
        yield
    finally:
        os.dup2(original, STDERR)
        os.close(original)
        os.close(null)
