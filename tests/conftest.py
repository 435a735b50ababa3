"""All tests on the CPU, four logical ones of it: replicas without a GPU.

What is promised to the bit is promised of the CPU; a GPU adds up in an order of its own
and multiplies in TF32. Here, because it must happen before anything makes TensorFlow
look for devices.
"""

import os

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # processes that tests start have none either

from records.tensorflow_logging import silence_startup

silence_startup()

import tensorflow as tf  # noqa: E402

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 4,
)
