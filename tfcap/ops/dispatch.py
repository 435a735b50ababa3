"""Chooses which operations a graph may use besides those that every device has.

A graph uses operations that exist on every device, because an export made on one
machine runs on another. Inside `kernels_for` it may use those of one kind of device:
cuDNN's LSTM on a GPU; on a CPU native (C++) operations, each of which replaces many
operations of a training step.

On a CPU the multiplications of a step take two thirds of its time. The rest goes to
the small operations around them: an LSTM's gates, cross-entropy and dropout pass over
their values a dozen times. A native operation (tfcap/ops/native) makes one pass. Values
are equal to rounding, those of dropout to the bit. TensorFlow's operations are used
without a compiler, on a GPU or TPU, in other precisions than float32, under XLA and in
exports.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType

import tensorflow as tf

from tfcap.ops import compilation

SOURCE = Path(__file__).parent / "native" / "step.cc"
# Eigen's 16-bit arithmetic of AVX512-FP16, which TensorFlow 2.21's headers bring and
# nothing here wants, does not compile with GCC 12.
OPTIONS = ("-O3", "-U__AVX512FP16__", "-march=native")
target: ContextVar[str | None] = ContextVar("target", default=None)


@contextmanager
def kernels_for(device: str | None) -> Iterator[None]:
    """Lets a graph traced inside use operations that only one kind of device has.

    Args:
        device: `CPU` or `GPU`, where the graph will run; `XLA`, which knows no
            operation of one kind of device; None for any device, and for a run without
            native operations.
    """
    before = target.set(device)
    try:
        yield
    finally:
        target.reset(before)


def device_of(strategy: tf.distribute.Strategy) -> str:
    """Returns the kind of device that the replicas run on: `CPU`, `GPU` or `TPU`."""
    first = strategy.extended.worker_devices[0]
    return tf.DeviceSpec.from_string(first).device_type


def compiled() -> ModuleType | None:
    """Returns the native operations, compiled if necessary; None if they cannot be."""
    return compilation.operations(SOURCE, *OPTIONS)


def native_ops(values: tf.Tensor) -> ModuleType | None:
    """Returns the native operations; None if they cannot be used on `values` here."""
    if target.get() != "CPU" or values.dtype != tf.float32:
        return None
    return compiled()


def cudnn_allowed() -> bool:
    """Returns whether the graph being traced may hold operations of cuDNN."""
    return target.get() == "GPU"


def fixed_sizes() -> bool:
    """Returns whether no size of the graph being traced may depend on values."""
    return target.get() == "XLA"
