"""Parts of a training step in C++, of one operation each instead of many.

On a CPU the multiplications of a step take two thirds of its time, and the small
operations around them the rest: an LSTM's gates, cross-entropy and dropout pass over
their values a dozen times. Here each is one pass (tfcap/kernels). Values are the
same to rounding, dropout's to the bit. Without a compiler, on a GPU or TPU, in other
precision than float32 and in what is exported, TensorFlow's operations do it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType

import tensorflow as tf

from records import compiled

SOURCE = Path(__file__).parent / "kernels" / "step.cc"
# Eigen's 16-bit arithmetic of AVX512-FP16, which TensorFlow 2.21's headers bring and
# nothing here wants, does not compile with GCC 12.
OPTIONS = ("-O3", "-U__AVX512FP16__", "-march=native")
allowed = ContextVar("allowed", default=False)


@contextmanager
def step_in_cpp(wanted: bool) -> Iterator[None]:
    """What is traced inside may hold our operations, if `wanted`; XLA knows none."""
    before = allowed.set(wanted)
    try:
        yield
    finally:
        allowed.reset(before)


def operations_for(values: tf.Tensor) -> ModuleType | None:
    """Our operations, where they can be used on such values here."""
    if not allowed.get() or values.dtype != tf.float32:
        return None
    devices = {device.device_type for device in tf.config.list_logical_devices()}
    if devices & {"GPU", "TPU"}:
        return None
    return compiled.operations(SOURCE, *OPTIONS)
