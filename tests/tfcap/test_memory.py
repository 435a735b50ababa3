"""Errors of memory, told from others of the same class."""

import pytest
import tensorflow as tf

from records.errors import UserError
from tfcap.memory import is_out_of_memory, named_memory_errors


def exhausted(message: str) -> tf.errors.OpError:
    return tf.errors.ResourceExhaustedError(None, None, message)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        exhausted("OOM when allocating tensor with shape[9,9] and type float"),
        exhausted("failed to allocate memory [Op:Fill]"),
        exhausted("Out of memory while trying to allocate 81 bytes."),
        tf.errors.InternalError(None, None, "Dst tensor is not initialized."),
        tf.errors.InternalError(None, None, "CUDA_ERROR_OUT_OF_MEMORY: out of memory"),
    ],
)
def test_out_of_memory(error):
    assert is_out_of_memory(error)
    with (
        pytest.raises(UserError, match=r"^out of memory; lower it$"),
        named_memory_errors("lower it"),
    ):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        exhausted("records/a.tfrecord; Too many open files"),
        exhausted("No space left on device"),
        exhausted("Received message larger than max (7 vs. 4)"),
        tf.errors.InvalidArgumentError(None, None, "ROOM"),
    ],
)
def test_other_errors_are_left_alone(error):
    assert not is_out_of_memory(error)
    with pytest.raises(type(error)) as raised, named_memory_errors("lower it"):
        raise error
    assert raised.value is error


def test_tensorflows_own_error():
    """An allocation larger than any machine's memory."""
    with pytest.raises(UserError, match="out of memory"), named_memory_errors("x"):
        tf.zeros([1 << 46])
