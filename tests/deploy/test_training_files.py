"""The scripts for Slurm and Kubernetes start the workers that `tfcap launch` starts."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tfcap.cli.main import make_parser
from tfcap.training.distributed.hosts import read_hosts, remote_commands, tf_config

ROOT = Path(__file__).parents[2]
SLURM = ROOT / "deploy" / "training" / "slurm.sh"
KUBERNETES = ROOT / "deploy" / "training" / "kubernetes.yaml"
FIELDS = yaml.safe_load(Path(__file__).with_name("kubernetes_fields.yaml").read_text())
SERVICE, JOB = yaml.safe_load_all(KUBERNETES.read_text())
POD = JOB["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
TYPES = {"str": str, "int": int, "bool": bool}
TRAIN = ["--config=flickr8k", "--records=r", "--workdir=it's here"]
NODES = ("gpu2", "gpu10")

pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")

# Each writes what it was called with. Tasks run one after another; CODES has the exit
# code of each start.
PROGRAMS = {
    "tfcap": 'printf "%s\\n" "$TF_CONFIG" "$@" >> log-"${SLURM_PROCID:-pod}"',
    "scontrol": """
if [ "$1 $2" = "show hostnames" ]
then printf "%s\\n" $3
else echo "$@" >> requeued
fi
""",
    "srun": """
while [ "${1#--}" != "$1" ]; do shift; done
for SLURM_PROCID in 0 1; do export SLURM_PROCID; "$@"; done
read code rest < codes; echo "$rest" > codes
exit "$code"
""",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, content in PROGRAMS.items():
        (programs / name).write_text(f"#!/bin/sh\n{content}\n")
        (programs / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.delenv("PORT", raising=False)
    monkeypatch.delenv("RESTARTS", raising=False)
    monkeypatch.setenv("SLURM_JOB_ID", "123456")
    monkeypatch.setenv("SLURM_JOB_NODELIST", " ".join(NODES))
    return tmp_path


def logged(path: Path) -> tuple[dict, list[str]]:
    """Returns TF_CONFIG and the words of `tfcap`."""
    config, *words = path.read_text().splitlines()
    return json.loads(config), words


@pytest.mark.parametrize("script", [SLURM.read_text(), CONTAINER["command"][2]])
def test_a_script_is_right_bash(script):
    checked = subprocess.run(
        ["bash", "-n"], input=script, capture_output=True, text=True
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def slurm(folder: Path, codes: str) -> subprocess.CompletedProcess:
    (folder / "codes").write_text(codes)
    return subprocess.run([SLURM, *TRAIN], capture_output=True, text=True)


def test_slurm_sets_what_launch_sets(folder):
    done = slurm(folder, "0")
    assert done.returncode == 0, done.stderr
    hosts = read_hosts(f"{node}:23456" for node in NODES)
    for number, command in enumerate(remote_commands(["tfcap"], hosts, "/")):
        config, words = logged(folder / f"log-{number}")
        assert config == json.loads(tf_config([h.address for h in hosts], number))
        assert json.dumps(config) in command.argv[-1]
        assert words == ["train", *TRAIN]


@pytest.mark.parametrize(
    ("codes", "code", "starts", "requeued"),
    [
        ("1 137 0", 0, 3, False),
        ("1 1 1 137", 137, 4, False),
        ("2 0", 2, 1, False),
        ("130 0", 130, 1, False),
        ("1 75 0", 0, 2, True),
    ],
)
def test_slurm_starts_lost_workers_again(folder, codes, code, starts, requeued):
    done = slurm(folder, codes)
    assert done.returncode == code, done.stderr
    lines = (folder / "log-1").read_text().splitlines()
    assert lines.count("train") == starts
    assert (folder / "requeued").exists() is requeued
    if requeued:
        assert (folder / "requeued").read_text() == "requeue 123456\n"


def test_slurm_starts_again_as_often_as_it_should(folder, monkeypatch):
    monkeypatch.setenv("RESTARTS", "0")
    assert slurm(folder, "1 0").returncode == 1


def check_fields(kind: str, value: object, where: str) -> None:
    """Checks a value of a manifest, and all inside, against the fields of the API."""
    if kind.startswith("list["):
        assert isinstance(value, list), where
        for number, item in enumerate(value):
            check_fields(kind[5:-1], item, f"{where}[{number}]")
    elif kind.startswith("map["):
        for name, item in value.items():
            check_fields(kind[4:-1], item, f"{where}.{name}")
    elif kind in TYPES:
        assert type(value) is TYPES[kind], f"{where} is {value!r}, no {kind}"
    else:
        unknown = set(value) - set(FIELDS[kind])
        assert not unknown, f"{where} has no {unknown}"
        for name, item in value.items():
            check_fields(FIELDS[kind][name], item, f"{where}.{name}")


@pytest.mark.parametrize("manifest", [SERVICE, JOB], ids=lambda m: m["kind"])
def test_kubernetes_knows_every_field(manifest):
    check_fields(f"V1{manifest['kind']}", manifest, manifest["kind"])


def test_a_wrong_field_is_noticed():
    with pytest.raises(AssertionError, match=r"Job\.spec has no {'completion'}"):
        check_fields("V1Job", {"spec": {"completion": 2}}, "Job")
    with pytest.raises(AssertionError, match=r"Job\.spec\.completions is '2', no int"):
        check_fields("V1Job", {"spec": {"completions": "2"}}, "Job")


def test_names_of_the_manifests_agree():
    name, spec = JOB["metadata"]["name"], JOB["spec"]
    assert SERVICE["spec"]["clusterIP"] == "None"
    assert SERVICE["metadata"]["name"] == POD["subdomain"]
    assert SERVICE["spec"]["selector"] == {"batch.kubernetes.io/job-name": name}
    assert spec["completionMode"] == "Indexed"
    (workers,) = CONTAINER["env"]
    assert workers["name"] == "WORKERS"
    assert int(workers["value"]) == spec["completions"] == spec["parallelism"]
    volumes = {volume["name"] for volume in POD["volumes"]}
    assert {mount["name"] for mount in CONTAINER["volumeMounts"]} == volumes


@pytest.mark.parametrize("number", [0, 1])
def test_a_pod_has_what_launch_sets(folder, monkeypatch, number):
    for variable in CONTAINER["env"]:
        monkeypatch.setenv(variable["name"], variable["value"])
    monkeypatch.setenv("JOB_COMPLETION_INDEX", str(number))
    monkeypatch.delenv("SLURM_PROCID", raising=False)
    subprocess.run([*CONTAINER["command"], *CONTAINER["args"]], check=True)
    # The name of a pod of an indexed Job, and its domain.
    name, domain = JOB["metadata"]["name"], POD["subdomain"]
    (port,) = (port["port"] for port in SERVICE["spec"]["ports"])
    addresses = [f"{name}-{i}.{domain}:{port}" for i in range(2)]
    config, words = logged(folder / "log-pod")
    assert config == json.loads(tf_config(addresses, number))
    assert words == ["train", *CONTAINER["args"]]


def test_the_commands_are_right_usage():
    make_parser().parse_args(["train", *CONTAINER["args"]])
    head = SLURM.read_text().partition("set -euo")[0]
    shown = head.partition("slurm.sh \\\n#")[2].partition("\n")[0].split()
    make_parser().parse_args(["train", *shown])
