"""Which operations a graph may use beyond those that every device has.

A graph holds operations that exist on every device, for an export made on one machine
runs on another. Inside `kernels_for` it may hold those of one kind of device: cuDNN's
LSTM on a GPU; on a CPU parts of a training step in C++, one operation instead of many.

On a CPU the multiplications of a step take two thirds of its time, and the small
operations around them the rest: an LSTM's gates, cross-entropy and dropout pass over
their values a dozen times. Here each is one pass (tfcap/kernels). Values are the
same to rounding, dropout's to the bit. Without a compiler, on a GPU or TPU, in other
precision than float32, under XLA and in what is exported, TensorFlow's do it.
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
    """Lets what is traced inside use operations that only one kind of device has.

    Args:
        device: `CPU` or `GPU`, where the graph will run; None for any device and for
            XLA, which knows none of these operations.
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


def native_ops(values: tf.Tensor) -> ModuleType | None:
    """Returns our operations, where the graph being traced can use them on `values`."""
    if target.get() != "CPU" or values.dtype != tf.float32:
        return None
    return compilation.operations(SOURCE, *OPTIONS)


def cudnn_allowed() -> bool:
    """Returns whether the graph being traced may hold operations of cuDNN."""
    return target.get() == "GPU"
