"""Silences the lines that TensorFlow writes to standard error when it starts."""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

LEVEL = "TF_CPP_MIN_LOG_LEVEL"
ERRORS_ONLY = "3"
STDERR = 2


def silence_startup() -> None:
    """Imports TensorFlow quietly; commands call this before anything else imports it.

    TensorFlow 2.21 writes its first lines before it reads TF_CPP_MIN_LOG_LEVEL, so
    standard error is redirected while it is imported. The level is set for this process
    and for those that it starts. Where TF_CPP_MIN_LOG_LEVEL has another value already,
    nothing is silenced.
    """
    if os.environ.setdefault(LEVEL, ERRORS_ONLY) == ERRORS_ONLY:
        with discard_stderr():
            importlib.import_module("tensorflow")


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
