"""Which replicas train: picked by what is there, or as the configuration says."""

import os

import tensorflow as tf

from records.errors import UserError


def make_strategy(name: str) -> tf.distribute.Strategy:
    """Returns the strategy of that name.

    `auto` picks: TF_CONFIG set -> multi_worker; several GPUs -> mirrored; one -> gpu;
    none -> cpu. `mirrored` without a GPU mirrors over the logical CPUs.

    Raises:
        UserError: there is no such device.
    """
    gpus = tf.config.list_logical_devices("GPU")
    if name == "auto":
        name = automatic(len(gpus))
    if name == "multi_worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "mirrored":
        return mirrored(gpus or tf.config.list_logical_devices("CPU"))
    if name == "gpu" and not gpus:
        raise UserError("training.strategy: gpu, but TensorFlow sees no GPU; use auto")
    return tf.distribute.OneDeviceStrategy(f"/{name}:0")


def mirrored(devices: list[tf.config.LogicalDevice]) -> tf.distribute.Strategy:
    """One replica per device.

    Over logical CPUs TensorFlow's collective operations fail (2.21: InternalError in
    CollectiveReduceV2), so sums are made on one device there.
    """
    on_gpu = devices[0].device_type == "GPU"
    return tf.distribute.MirroredStrategy(
        [device.name for device in devices],
        None if on_gpu else tf.distribute.ReductionToOneDevice(),
    )


def automatic(gpus: int) -> str:
    if os.environ.get("TF_CONFIG"):
        return "multi_worker"
    return "mirrored" if gpus > 1 else "gpu" if gpus else "cpu"


def check_global_batch(global_batch: int, strategy: tf.distribute.Strategy) -> None:
    """Raises UserError where a global batch cannot be cut equally over the replicas."""
    replicas = strategy.num_replicas_in_sync
    below = global_batch // replicas * replicas
    if below != global_batch:
        raise UserError(
            f"training.global_batch is {global_batch}, which {replicas} replicas "
            f"cannot share equally; the nearest below is {below}"
        )
