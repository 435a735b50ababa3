"""Errors of memory, and what is said of them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from records.errors import UserError

# As allocators of TensorFlow, XLA and CUDA say it; the last is a copy to a full GPU.
WORDS = re.compile(
    r"\bOOM\b|out[ _]of[ _]memory|(failed|unable) to allocate|bad_alloc|"
    r"Dst tensor is not initialized",
    re.IGNORECASE,
)


# Where nothing that can be set takes most of the memory.
FREE_SOME = "end what else uses it (of a GPU, nvidia-smi lists that)"


def is_out_of_memory(error: Exception) -> bool:
    """Tells by its words: open files, disks and messages are "resources" too."""
    if isinstance(error, tf.errors.OpError):
        return bool(WORDS.search(error.message))
    return isinstance(error, MemoryError)


@contextmanager
def named_memory_errors(remedy: str) -> Iterator[None]:
    """Turns errors of memory into one sentence with what to do."""
    try:
        yield
    except (MemoryError, tf.errors.OpError) as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(f"out of memory; {remedy}") from None
