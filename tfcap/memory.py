"""Out-of-memory errors, turned into messages that name a remedy."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from records.errors import UserError

# Messages of the allocators of TensorFlow, XLA and CUDA. The last is that of a copy to
# a full GPU.
WORDS = re.compile(
    r"\bOOM\b|out[ _]of[ _]memory|(failed|unable) to allocate|bad_alloc|"
    r"Dst tensor is not initialized",
    re.IGNORECASE,
)


# The remedy if no setting would lower the memory needed.
FREE_SOME = "end what else uses it (of a GPU, nvidia-smi lists that)"


def is_out_of_memory(error: Exception) -> bool:
    """Returns whether memory ran out.

    It reads the message: TensorFlow's ResourceExhaustedError also stands for files,
    disks and messages.
    """
    if isinstance(error, tf.errors.OpError):
        return bool(WORDS.search(error.message))
    return isinstance(error, MemoryError)


@contextmanager
def named_memory_errors(remedy: str) -> Iterator[None]:
    """Turns out-of-memory errors into a UserError that names the remedy."""
    try:
        yield
    except (MemoryError, tf.errors.OpError) as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(f"out of memory; {remedy}") from None
