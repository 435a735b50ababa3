"""Imports TensorFlow without the lines it writes to standard error when it starts.

Commands import this before anything else. TensorFlow 2.21 writes its first lines before
it looks at TF_CPP_MIN_LOG_LEVEL, so standard error itself is put aside meanwhile. Set
TF_CPP_MIN_LOG_LEVEL to see everything.
"""

import importlib
import os
from contextlib import contextmanager

STDERR = 2


@contextmanager
def stderr_put_aside():
    kept = os.dup(STDERR)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, STDERR)
        yield
    finally:
        os.dup2(kept, STDERR)
        os.close(kept)
        os.close(nowhere)


# A process started by a quiet one inherits the level, and is quiet too.
if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "3":
    with stderr_put_aside():
        importlib.import_module("tensorflow")
