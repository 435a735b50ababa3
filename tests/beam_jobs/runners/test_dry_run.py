"""The job as it would be submitted: small whatever the data, and as the options say."""

import json
import socket
from dataclasses import replace

import pytest
from apache_beam.portability.api import beam_runner_api_pb2
from small_data import INFO, mean_colour, small_config

from beam_jobs import build_records, caption_photos
from beam_jobs.build_job import Job
from beam_jobs.runners import dry_run
from beam_jobs.runners.dry_run import prepare
from beam_jobs.runners.options import parse_beam_options
from beam_jobs.sources.flickr8k import Flickr8k
from beam_jobs.sources.registry import SOURCES
from beam_jobs.transforms.caption_shard import CaptionJob
from records.errors import UserError
from records.format.schema import FeatureSpec

IMAGE = "us-docker.pkg.dev/my-project/tfcap/tfcap:1"
GRAPH_LIMIT = 1_000_000  # bytes; a tenth of what Dataflow takes
L4 = "type:nvidia-l4;count:1;install-nvidia-driver"
DATAFLOW = [
    "--runner=DataflowRunner",
    "--project=my-project",
    "--region=us-central1",
    "--temp_location=gs://bucket/tmp",
    f"--sdk_container_image={IMAGE}",
]
PLACES = [
    "--photos=gs://bucket/photos",
    "--captions=gs://bucket/text/Flickr8k.token.txt",
    "--splits=gs://bucket/text",
    "--output=gs://bucket/records",
]
CONFIG = "encoder: {name: mobilenet, weights: random, input_size: 32}"


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def fail(*_, **__):
        raise AssertionError("a dry run speaks to nobody")

    monkeypatch.setattr(socket, "getaddrinfo", fail)


@pytest.fixture
def config(tmp_path) -> str:
    path = tmp_path / "small.yaml"
    path.write_text(CONFIG)
    return f"--config={path}"


JOB = Job(
    photos="gs://bucket/photos",
    source=Flickr8k.named(["gs://bucket/Flickr8k.token.txt"], "gs://bucket/text"),
    output="gs://bucket/records",
    config=small_config(),
    encoder=INFO,
    features=FeatureSpec(shape=(3,), dtype="float32"),
    max_reject_fraction=0.1,
)


def submission(job: Job, *flags: str) -> dry_run.Submission:
    options = parse_beam_options(flags)
    return prepare(lambda p: build_records.construct(p, job, mean_colour), options)


def size(job: dry_run.Submission) -> int:
    return job.graph.ByteSize()


@pytest.fixture(scope="module")
def asked() -> dry_run.Submission:
    """Of what `configs/dataflow.yaml` asks for."""
    return submission(
        JOB,
        *DATAFLOW,
        "--machine_type=g2-standard-8",
        "--max_num_workers=8",
        "--autoscaling_algorithm=THROUGHPUT_BASED",
        "--disk_size_gb=100",
        "--number_of_worker_harness_threads=4",
        "--experiments=no_use_multiple_sdk_containers",
        f"--dataflow_service_options=worker_accelerator={L4}",
    )


@pytest.mark.parametrize("flags", [[], DATAFLOW])
def test_the_graph_is_as_small_for_100_000_photos_as_for_10(data, tmp_path, flags):
    job = data.job(tmp_path / "out")
    few = submission(job, *flags)
    names = [f"{number:06}.jpg" for number in range(100_000)]
    data.write_lines(data.captions, [f"{name}#0\tA dog runs ." for name in names])
    data.write_split("train", names)
    for name in names[:1000]:
        (data.photos / name).touch()
    many = submission(data.job(tmp_path / "out"), *flags)
    assert max(size(many), size(few)) < GRAPH_LIMIT
    assert abs(size(many) - size(few)) < 100, "names made by pickle differ"
    assert b"000001.jpg" not in many.graph.SerializeToString()


def test_the_request_is_small(asked):
    assert len(json.dumps(asked.request)) < GRAPH_LIMIT


def test_workers_run_in_the_image_of_the_options(asked):
    assert asked.environments() == [f"docker {IMAGE}"]
    (pool,) = asked.request["environment"]["workerPools"]
    assert pool["workerHarnessContainerImage"] == IMAGE


def test_the_request_asks_for_what_the_options_say(asked):
    environment = asked.request["environment"]
    (pool,) = environment["workerPools"]
    assert pool["machineType"] == "g2-standard-8"
    assert pool["diskSizeGb"] == 100
    assert pool["numThreadsPerWorker"] == 4
    assert pool["autoscalingSettings"]["maxNumWorkers"] == 8
    assert environment["serviceOptions"] == [f"worker_accelerator={L4}"]
    assert "no_use_multiple_sdk_containers" in environment["experiments"]
    assert "use_multiple_sdk_containers" not in environment["experiments"]
    assert not environment["sdkPipelineOptions"]["options"]["dry_run"]


def test_without_hints_no_step_has_any(asked):
    assert asked.hints() == {}


def test_hints_are_those_of_the_step_that_encodes_and_of_no_other():
    hint = "--encoder_resource_hints"
    flags = [f"{hint}=accelerator={L4}", f"{hint}=min_ram=16GB"]
    found = submission(JOB, *DATAFLOW, *flags)
    hinted = {name for name in found.hints() if "write" in name}
    assert hinted == set(found.hints()) and hinted
    wanted = {"accelerator": L4, "min_ram_bytes": "16000000000"}
    assert all(hints == wanted for hints in found.hints().values())
    assert found.environments() == [f"docker {IMAGE}"]


def test_captioning_photos_is_hinted_too():
    job = CaptionJob("gs://b/model", "0", "gs://b/photos/*", "gs://b/out", 4, 8)
    flags = [*DATAFLOW, f"--encoder_resource_hints=accelerator={L4}"]
    options = parse_beam_options(flags)
    found = prepare(lambda p: caption_photos.construct(p, job), options)
    (name,) = found.hints()
    assert "caption shard" in name and size(found) < GRAPH_LIMIT


@pytest.mark.parametrize(
    ("flags", "environment"),
    [
        ("", "embedded_python"),
        ("--runner=FlinkRunner", "embedded_python_loopback"),
        (
            "--runner=FlinkRunner --flink_master=host:8081 --environment_type=DOCKER "
            "--environment_config=image:1",
            "docker image:1",
        ),
        (
            "--runner=PortableRunner --environment_type=EXTERNAL "
            "--environment_config=host:50000",
            "external host:50000",
        ),
        (
            "--runner=PortableRunner --environment_type=PROCESS "
            '--environment_config={"command":"/opt/boot"}',
            "process /opt/boot",
        ),
    ],
)
def test_any_runner_has_a_dry_run(flags, environment):
    found = submission(JOB, *flags.split())
    assert found.environments() == [environment]
    assert found.request is None and 0 < size(found) < GRAPH_LIMIT


def test_the_command_shows_the_job_and_writes_it(config, tmp_path, capsys):
    folder = tmp_path / "job"
    flags = [config, *PLACES, *DATAFLOW, f"--dry_run={folder}"]
    assert build_records.main(flags) == 0
    shown = capsys.readouterr().out
    assert f"docker {IMAGE}" in shown and "us-central1" in shown
    assert f"nothing was submitted; all of it is in {folder}" in shown
    graph = beam_runner_api_pb2.Pipeline.FromString((folder / "graph.pb").read_bytes())
    assert any("write" in t.unique_name for t in graph.components.transforms.values())
    request = json.loads((folder / "job.json").read_text())
    assert request["type"] == "JOB_TYPE_BATCH"


def test_a_dry_run_on_this_machine_touches_no_output(config, data, tmp_path, capsys):
    flags = data.flags(tmp_path / "out", tmp_path / "small.yaml")
    assert build_records.main([*flags, "--dry_run"]) == 0
    assert "in this process" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_a_dry_run_looks_at_files_of_this_machine(config, data, tmp_path):
    flags = data.flags(tmp_path / "out", tmp_path / "small.yaml")
    data.captions.unlink()
    with pytest.raises(UserError, match="--captions: no file"):
        build_records.main([*flags, "--dry_run"])


@pytest.mark.parametrize(
    ("source", "captions", "splits"),
    [
        ("flickr30k", ["gs://b/results.csv"], "gs://b/splits"),
        ("coco", ["train=gs://b/train.json", "val=gs://b/val.json"], None),
        ("karpathy", ["gs://b/dataset.json"], None),
        ("jsonl", ["gs://b/a.jsonl", "gs://b/b.jsonl"], None),
    ],
)
def test_every_source_has_one_without_a_look_at_its_files(source, captions, splits):
    named = SOURCES[source].named(captions, splits)
    assert size(submission(replace(JOB, source=named))) < GRAPH_LIMIT
    files = " ".join(named.files().values())
    assert all(path.split("=")[-1] in files for path in captions)


def test_captioning_has_one_too(capsys):
    flags = ["--model=gs://b/model", "--photos=gs://b/*.jpg", "--output=gs://b/out"]
    assert caption_photos.main([*flags, *DATAFLOW, "--dry_run"]) == 0
    assert "nothing was submitted" in capsys.readouterr().out


def test_a_place_on_this_machine_is_refused(config, tmp_path):
    with pytest.raises(UserError, match="--photos: photos is on this machine"):
        build_records.main([config, *PLACES, "--photos=photos", *DATAFLOW, "--dry_run"])


def test_a_directory_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"--dry_run: cannot make .*/job: Not a dir"):
        dry_run.write(submission(JOB), str(tmp_path / "file" / "job"))
