"""What the figures were measured on."""

import os

import tensorflow as tf


def describe_machine() -> dict[str, object]:
    """CPU, cores this process may use, memory, GPUs, versions, other load."""
    gpus = tf.config.list_physical_devices("GPU")
    details = map(tf.config.experimental.get_device_details, gpus)
    return {
        "cpu": field("/proc/cpuinfo", "model name") or "unknown CPU",
        "cores": cores(),
        "memory_gib": round(kibibytes("MemTotal") / 2**20, 1),
        "gpus": [detail.get("device_name", "unknown GPU") for detail in details],
        "tensorflow": tf.__version__,
        "load_before": os.getloadavg()[0],
    }


def in_words(machine: dict[str, object]) -> str:
    gpus = ", ".join(machine["gpus"]) or "no GPU"
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"{gpus}; TensorFlow {machine['tensorflow']}; "
        f"load before: {machine['load_before']:.1f}"
    )


def cores() -> int:
    """That this process may use, where the system can tell."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def kibibytes(name: str) -> int:
    return int((field("/proc/meminfo", name) or "0").split()[0])


def own_memory(name: str) -> float:
    """Of this process, in MiB: VmRSS, what it takes now, or VmHWM, the most so far."""
    return int((field("/proc/self/status", name) or "0").split()[0]) / 1024


def field(path: str, name: str) -> str | None:
    """The first value of a `name : value` line; None where there is no such file."""
    try:
        with open(path, encoding="utf-8") as file:
            lines = (line.partition(":") for line in file)
            return next((v.strip() for k, _, v in lines if k.strip() == name), None)
    except OSError:
        return None
