"""Chooses the strategy of tf.distribute, by configuration or available devices."""

import logging
import os

import tensorflow as tf

from records.errors import UserError
from tfcap.training.distributed.cluster import ALONE, Cluster

LOGGER = logging.getLogger(__name__)


def make_strategy(name: str, cluster: Cluster = ALONE) -> tf.distribute.Strategy:
    """Returns the strategy of that name. Call it before any other TensorFlow work.

    `auto` picks: several workers -> multi_worker; TPU_NAME set -> tpu; several GPUs ->
    mirrored; one -> gpu; none -> cpu. `mirrored` without a GPU mirrors over the logical
    CPUs.

    Args:
        name: the key `training.strategy`.
        cluster: the workers of the run.

    Raises:
        UserError: there is no such device, or this worker's address cannot be used.
    """
    if not cluster.is_alone:
        return multi_worker(cluster)
    if name == "tpu" or (name == "auto" and os.environ.get("TPU_NAME")):
        return tpu()
    gpus = tf.config.list_logical_devices("GPU")
    if name == "auto":
        name = automatic(len(gpus))
    if name == "mirrored":
        return mirrored(gpus or tf.config.list_logical_devices("CPU"))
    if name == "gpu" and not gpus:
        raise UserError("training.strategy: gpu, but TensorFlow sees no GPU; use auto")
    return tf.distribute.OneDeviceStrategy(f"/{name}:0")


def multi_worker(cluster: Cluster) -> tf.distribute.Strategy:
    """Returns a replica per GPU of every worker, or per worker; waits for all."""
    this_worker = cluster.name(cluster.number)
    others = [
        address for n, address in enumerate(cluster.addresses.values())
        if n != cluster.number
    ]  # fmt: skip
    LOGGER.info("%s waits for %s", this_worker, ", ".join(others))
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.OpError as error:
        raise UserError(
            f"{this_worker} cannot join the others: {error.message}. Is its port taken?"
        ) from None


def tpu() -> tf.distribute.Strategy:
    """Returns a replica per core of the TPU that TPU_NAME names, or of a local one."""
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect()
        return tf.distribute.TPUStrategy(resolver)
    except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
        first = str(error).partition("\n")[0]
        raise UserError(
            f"training.strategy: tpu, but none can be reached: {first}"
        ) from None


def mirrored(devices: list[tf.config.LogicalDevice]) -> tf.distribute.Strategy:
    """Returns a replica per device.

    TensorFlow's collective operations fail over logical CPUs (2.21: InternalError in
    CollectiveReduceV2). There sums are computed on one device.
    """
    on_gpu = devices[0].device_type == "GPU"
    return tf.distribute.MirroredStrategy(
        [device.name for device in devices],
        None if on_gpu else tf.distribute.ReductionToOneDevice(),
    )


def automatic(gpus: int) -> str:
    return "mirrored" if gpus > 1 else "gpu" if gpus else "cpu"


def check_global_batch(global_batch: int, strategy: tf.distribute.Strategy) -> None:
    """Raises UserError if a global batch cannot be cut equally over the replicas."""
    replicas = strategy.num_replicas_in_sync
    below = global_batch // replicas * replicas
    if below != global_batch:
        raise UserError(
            f"training.global_batch is {global_batch}, which {replicas} replicas "
            f"cannot share equally; the nearest below is {below}"
        )
