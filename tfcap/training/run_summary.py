"""Says at the start of training what trains, on what, and where."""

import os
import sys
from collections import Counter
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from records.wording import counted

# Where Linux's driver lists the NVIDIA GPUs, whether TensorFlow can use them or not.
NVIDIA_GPUS = "/proc/driver/nvidia/gpus"


def print_summary(trainer) -> None:
    """Prints a line each on devices, precision, photos and parameters of a `Trainer`.

    Standard error, as all that is no result.
    """
    hint = unused_gpus()
    lines = {
        "devices": describe_devices(trainer.strategy, len(trainer.cluster.addresses)),
        "precision": trainer.settings.precision,
        "photos": describe_photos(trainer),
        "parameters": describe_parameters(trainer.model),
        **({"warning": hint} if hint else {}),
    }
    for name, value in lines.items():
        print(f"{name:<10}  {value}", file=sys.stderr)


def describe_devices(strategy: tf.distribute.Strategy, workers: int = 1) -> str:
    """Returns such as "2 GPUs (NVIDIA H200); MirroredStrategy, 2 replicas"."""
    found = names_of_devices(strategy.extended.worker_devices)
    each = f" on each of {workers} workers" if workers > 1 else ""
    replicas = counted(strategy.num_replicas_in_sync, "replica")
    return f"{found}{each}; {type(strategy).__name__}, {replicas}"


def names_of_devices(devices: Sequence[str]) -> str:
    """Returns how many devices of each type there are, and what they are."""
    types = Counter(tf.DeviceSpec.from_string(name).device_type for name in devices)
    return ", ".join(
        f"{counted(number, kind)} ({hardware(kind)})" for kind, number in types.items()
    )


def hardware(kind: str) -> str:
    """Returns the name of the first device of a type; of the CPU its cores."""
    if kind == "CPU":
        return counted(len(os.sched_getaffinity(0)), "core")
    details = tf.config.experimental.get_device_details
    devices = tf.config.list_physical_devices(kind)
    names = [details(device).get("device_name") for device in devices]
    return next(filter(None, names), kind)


def describe_photos(trainer) -> str:
    photos = trainer.records.manifest.photos
    return (
        f"{photos('train'):,} to train on, {photos('dev'):,} for the dev loss; "
        f"{trainer.settings.global_batch:,} a step, "
        f"{counted(trainer.steps_per_epoch, 'step')} an epoch"
    )


def describe_parameters(model) -> str:
    """Returns how many numbers are trained, and how many are not."""
    trained, fixed = (
        sum(int(np.prod(v.shape)) for v in variables)
        for variables in (model.trainable_variables, model.non_trainable_variables)
    )
    return f"{trained:,} trained" + f", {fixed:,} fixed" * bool(fixed)


def unused_gpus() -> str | None:
    """Returns what to do about GPUs that TensorFlow cannot use; None without such.

    An empty CUDA_VISIBLE_DEVICES, or -1, hides them on purpose.
    """
    if tf.config.list_physical_devices("GPU") or not os.path.isdir(NVIDIA_GPUS):
        return None
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return None
    number = len(os.listdir(NVIDIA_GPUS))
    return (
        f"{counted(number, 'NVIDIA GPU')} in this machine, and TensorFlow can use "
        "none. Install CUDA's libraries: pip install 'tfcap[cuda]'"
    )
