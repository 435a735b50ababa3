"""Who trains together: what TF_CONFIG and Slurm say."""

import json
import os

import pytest

from records.errors import UserError
from tfcap.training.distributed.cluster import ALONE, find_cluster

SLURM = {
    "SLURM_PROCID": "2",
    "SLURM_STEP_NUM_TASKS": "3",
    "SLURM_STEP_NODELIST": "node[08-09]",
    "SLURM_STEP_TASKS_PER_NODE": "2,1",
    "SLURMD_NODENAME": "node09",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    """An environment of the test's own, as before again afterwards."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SLURM")}
    monkeypatch.setattr(os, "environ", kept)
    kept.pop("TF_CONFIG", None)
    return kept


def tf_config(role: str, index: int, **jobs) -> str:
    return json.dumps({"cluster": jobs, "task": {"type": role, "index": index}})


def test_without_a_word_of_others_a_process_is_alone():
    assert find_cluster("auto") == ALONE
    assert ALONE.is_chief and ALONE.is_alone


def test_a_chief_and_workers_as_vertex_ai_sets_them(environment):
    jobs = {"worker": ["w0:1", "w1:1"], "chief": ["c:1"]}
    environment["TF_CONFIG"] = tf_config("worker", 1, **jobs)
    cluster = find_cluster("auto")
    assert list(cluster.addresses.values()) == ["c:1", "w0:1", "w1:1"]
    assert not cluster.is_chief and cluster.name(cluster.number) == "worker 2 (w1:1)"
    environment["TF_CONFIG"] = tf_config("chief", 0, **jobs)
    assert find_cluster("multi_worker").is_chief


def test_without_a_chief_the_first_worker_is_it(environment):
    environment["TF_CONFIG"] = tf_config("worker", 0, worker=["a:1", "b:1"])
    assert find_cluster("auto").is_chief


def test_one_worker_is_no_cluster(environment):
    environment["TF_CONFIG"] = tf_config("chief", 0, chief=["c:1"])
    assert find_cluster("auto") == ALONE
    with pytest.raises(UserError, match="neither TF_CONFIG nor Slurm names several"):
        find_cluster("multi_worker")


def test_a_strategy_for_one_process_does_not_look(environment):
    environment["TF_CONFIG"] = "not JSON"
    assert find_cluster("cpu") == ALONE


@pytest.mark.parametrize(
    "content",
    [
        "not JSON",
        json.dumps({"cluster": [1]}),
        tf_config("evaluator", 0, worker=["a:1", "b:1"]),
        tf_config("worker", 2, worker=["a:1", "b:1"]),
        json.dumps({"cluster": {"worker": ["a:1", "b:1"]}}),
    ],
)
def test_a_tf_config_that_says_nothing_clear(environment, content):
    environment["TF_CONFIG"] = content
    with pytest.raises(UserError, match=r"TF_CONFIG must be JSON as in .* received"):
        find_cluster("auto")


def test_a_slurm_step_of_several_tasks(environment):
    environment.update(SLURM)
    cluster = find_cluster("auto")
    hosts = ["node08:8888", "node08:8889", "node09:8888"]
    assert list(cluster.addresses.values()) == hosts
    assert cluster.number == 2
    assert json.loads(environment["TF_CONFIG"])["task"]["index"] == 2


def test_a_slurm_step_of_one_task_is_no_cluster(environment):
    environment.update(SLURM, SLURM_STEP_NUM_TASKS="1")
    assert find_cluster("auto") == ALONE


def test_slurm_hosts_that_do_not_sort_as_slurm_counts(environment):
    names = {"SLURM_STEP_NODELIST": "node[9-10]", "SLURMD_NODENAME": "node10"}
    environment.update(SLURM, **names)
    with pytest.raises(UserError, match=r"task 2 .* runs on node10, .* on node9"):
        find_cluster("auto")


def test_slurm_variables_that_do_not_fit(environment):
    environment.update(SLURM, SLURM_STEP_TASKS_PER_NODE="2(x2)")
    with pytest.raises(UserError, match="Slurm's variables name no cluster: Requested"):
        find_cluster("auto")
