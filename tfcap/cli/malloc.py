"""Memory that a step frees is kept for the next one.

Batches and activations come and go, some MB at a time. By itself glibc gives such
memory back to the system, and gets it again page by page, each to be zeroed: a sixth of
a training step's time, once it has begun a quarter of the input pipeline's.
"""

import ctypes
import os

# Of mallopt(3): the number of a setting, and bytes.
TRIM_THRESHOLD = -1, 256 << 20  # freed at the end of the heap before it is given back
TOP_PAD = -2, 64 << 20  # taken at a time, beyond what is wanted
MMAP_THRESHOLD = -3, 32 << 20  # what is larger is given back at once


def keep_freed_memory() -> None:
    """Tells glibc so; other systems, and whoever says otherwise, are left alone."""
    if any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        for setting in (TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD):
            mallopt(*setting)
