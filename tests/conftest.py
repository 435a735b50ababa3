"""Runs all tests on the CPU, as four logical devices, so that replicas need no GPU.

Equality to the bit is promised for the CPU only: a GPU sums in another order and
multiplies in TF32. This is set up here because it must precede TensorFlow's search
for devices.
"""

import os
import signal

# A background job of a script ignores Ctrl-C, and so would the processes under test.
signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # processes that tests start have none either

from records.tensorflow_logging import silence_startup  # noqa: E402

silence_startup()

import tensorflow as tf  # noqa: E402

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 4,
)
