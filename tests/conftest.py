"""Four logical CPUs for all tests: replicas without a GPU.

Here, because it must happen before anything makes TensorFlow look for devices.
"""

import records.quiet  # noqa: F401  # isort: skip  # before TensorFlow

import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 4,
)
