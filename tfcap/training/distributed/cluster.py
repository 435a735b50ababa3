"""Finds the workers that train together, and the place of this process among them.

TF_CONFIG names them, which Kubernetes' operators and Vertex AI set, or a Slurm step of
several tasks. Only the chief reads and writes the work directory.
"""

import json
import os
from dataclasses import dataclass

import tensorflow as tf

from records.errors import UserError

ROLES = ("chief", "worker")


@dataclass(frozen=True)
class Cluster:
    """The workers of a run.

    Attributes:
        addresses: host:port of each task, such as `worker/1`; the chief is first. Empty
            if this process trains alone.
        number: index of this process, from 0.
    """

    addresses: dict[str, str]
    number: int = 0

    @property
    def is_alone(self) -> bool:
        return not self.addresses

    @property
    def is_chief(self) -> bool:
        return self.number == 0

    def name(self, number: int) -> str:
        """Returns the name of a worker for messages."""
        return f"worker {number} ({list(self.addresses.values())[number]})"


ALONE = Cluster({})


def find_cluster(strategy: str) -> Cluster:
    """Finds the workers of this run, unless the strategy is for a single worker.

    Args:
        strategy: the key `training.strategy`.

    Raises:
        UserError: TF_CONFIG or Slurm's variables do not describe a chief and workers;
            or the strategy is `multi_worker`, and neither is set.
    """
    if strategy not in ("auto", "multi_worker"):
        return ALONE
    if not os.environ.get("TF_CONFIG") and slurm_tasks() > 1:
        os.environ["TF_CONFIG"] = json.dumps(slurm_config())
    cluster = tf_config_cluster() if os.environ.get("TF_CONFIG") else ALONE
    if cluster.is_alone and strategy == "multi_worker":
        raise UserError(
            "training.strategy: multi_worker, but neither TF_CONFIG nor Slurm names "
            "several workers; use auto"
        )
    return cluster


def tf_config_cluster() -> Cluster:
    """Reads TF_CONFIG; a single worker is `ALONE`."""
    try:
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        jobs = resolver.cluster_spec().as_dict()
        role, index = resolver.task_type, resolver.task_id
        tasks = {
            f"{job}/{i}": address
            for job in ROLES
            for i, address in enumerate(jobs.get(job, []))
        }
        number = list(tasks).index(f"{role}/{index}") if tasks else 0
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UserError(
            "TF_CONFIG must be JSON as in "
            '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, '
            '"task": {"type": "worker", "index": 0}}, its task one of the cluster\'s '
            f"chief and workers; received {os.environ['TF_CONFIG']}"
        ) from None
    return Cluster(tasks, number) if len(tasks) > 1 else ALONE


def slurm_tasks() -> int:
    return int(os.environ.get("SLURM_STEP_NUM_TASKS", 1))


def slurm_config() -> dict:
    """Returns the tasks of this Slurm step in the form of TF_CONFIG.

    Slurm assigns GPUs to tasks (`srun --gpus-per-task`). The resolver could do so, too,
    but fails where a node has fewer GPUs than tasks.

    Raises:
        UserError: Slurm's variables do not fit each other.
    """
    most = slurm_tasks()
    try:
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            gpus_per_node=most, gpus_per_task=1, auto_set_gpu=False
        )
        workers = resolver.cluster_spec().as_dict()["worker"]
        index = resolver.task_id
    except (RuntimeError, ValueError) as error:
        raise UserError(f"Slurm's variables name no cluster: {error}") from None
    node = os.environ.get("SLURMD_NODENAME")
    expected = workers[index].rpartition(":")[0]
    if node and node != expected:
        # The resolver takes hosts in alphabetical order; Slurm has its own.
        raise UserError(
            f"task {index} of the Slurm step runs on {node}, but TensorFlow's "
            f"SlurmClusterResolver takes it to be on {expected}: node names must sort "
            "as Slurm lists them (node09, node10); set TF_CONFIG instead"
        )
    return {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
