"""Settings of glibc's malloc, by which freed memory is kept for the next step.

Batches and activations are freed and allocated again, some MB at a time. By default
glibc returns such memory to the system and gets it back page by page, each to be
zeroed. That took a sixth of a training step's time and a quarter of the input
pipeline's.
"""

import os

# Of mallopt(3): the number of a setting, and bytes.
TRIM_THRESHOLD = -1, 256 << 20  # freed at the end of the heap before it is given back
TOP_PAD = -2, 64 << 20  # taken at a time, beyond what is wanted
MMAP_THRESHOLD = -3, 32 << 20  # what is larger is given back at once


def keep_freed_memory() -> None:
    """Sets glibc's malloc thresholds.

    Does nothing on other systems, or if MALLOC_* or GLIBC_TUNABLES is set.
    """
    if any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        for setting in (TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD):
            mallopt(*setting)
