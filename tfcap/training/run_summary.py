"""Describes a run at its start: devices, precision, photos and parameters."""

import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf

from records.extras import install_command
from records.wording import counted
from tfcap.training.state import TrainingState

LOGGER = logging.getLogger(__name__)
# The directory in which Linux's driver lists NVIDIA GPUs, usable or not.
NVIDIA_GPUS = "/proc/driver/nvidia/gpus"


def log_summary(lines: Mapping[str, str]) -> None:
    """Logs each line behind its name."""
    for name, value in lines.items():
        LOGGER.info("%-10s  %s", name, value)


def describe(
    state: TrainingState, strategy: tf.distribute.Strategy, workers: int
) -> dict[str, str]:
    """Returns a line each on devices, precision, photos and parameters of a run.

    Args:
        state: the state of the run.
        strategy: the strategy whose devices are counted.
        workers: number of workers; 0 if this process trains alone.
    """
    hint = unused_gpus()
    return {
        "devices": describe_devices(strategy, workers),
        "precision": state.config.training.precision,
        "photos": describe_photos(state),
        "parameters": describe_parameters(state.model),
        **({"warning": hint} if hint else {}),
    }


def describe_devices(strategy: tf.distribute.Strategy, workers: int = 1) -> str:
    """Returns, for example, "2 GPUs (NVIDIA H200); MirroredStrategy, 2 replicas"."""
    devices = names_of_devices(strategy.extended.worker_devices)
    each = f" on each of {workers} workers" if workers > 1 else ""
    replicas = counted(strategy.num_replicas_in_sync, "replica")
    return f"{devices}{each}; {type(strategy).__name__}, {replicas}"


def names_of_devices(devices: Sequence[str]) -> str:
    """Returns number and hardware of the devices of each type."""
    types = Counter(tf.DeviceSpec.from_string(name).device_type for name in devices)
    return ", ".join(
        f"{counted(number, kind)} ({hardware(kind)})" for kind, number in types.items()
    )


def hardware(kind: str) -> str:
    """Returns the name of the first device of a type; for CPUs the number of cores."""
    if kind == "CPU":
        return counted(len(os.sched_getaffinity(0)), "core")
    details = tf.config.experimental.get_device_details
    devices = tf.config.list_physical_devices(kind)
    names = [details(device).get("device_name") for device in devices]
    return next(filter(None, names), kind)


def describe_photos(state: TrainingState) -> str:
    photos = state.records.manifest.photos
    return (
        f"{photos('train'):,} to train on, {photos('dev'):,} for the dev loss; "
        f"{state.config.training.global_batch:,} a step, "
        f"{counted(state.steps_per_epoch, 'step')} an epoch"
    )


def describe_parameters(model: keras.Model) -> str:
    """Returns the numbers of trained and of fixed parameters."""
    trained, fixed = (
        sum(int(np.prod(v.shape)) for v in variables)
        for variables in (model.trainable_variables, model.non_trainable_variables)
    )
    return f"{trained:,} trained" + f", {fixed:,} fixed" * bool(fixed)


def unused_gpus() -> str | None:
    """Describes GPUs that TensorFlow cannot use, and the remedy; None without them.

    A CUDA_VISIBLE_DEVICES that is empty or -1 hides GPUs on purpose.
    """
    if tf.config.list_physical_devices("GPU") or not os.path.isdir(NVIDIA_GPUS):
        return None
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return None
    number = len(os.listdir(NVIDIA_GPUS))
    return (
        f"{counted(number, 'NVIDIA GPU')} in this machine, and TensorFlow can use "
        f"none. Install CUDA's libraries: {install_command('cuda')}"
    )
