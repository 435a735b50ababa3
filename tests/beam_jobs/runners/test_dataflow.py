"""What is refused before a job goes to Dataflow, and what is said of one that went."""

import sys
from contextlib import nullcontext

import google.auth
import pytest
from apache_beam.io.gcp import gcsio
from apache_beam.runners.dataflow.dataflow_runner import DataflowPipelineResult
from apache_beam.runners.dataflow.internal import apiclient
from google.api_core.exceptions import Forbidden, RetryError
from google.auth.exceptions import DefaultCredentialsError, RefreshError
from small_data import INFO, small_config

from beam_jobs import build_records, command
from beam_jobs.build_job import Job
from beam_jobs.runners import dataflow
from beam_jobs.runners.options import parse_beam_options
from beam_jobs.runners.run import as_raised, make_pipeline
from beam_jobs.sources.jsonl import Jsonl
from records.errors import UserError
from records.format.schema import FeatureSpec

GIVEN = {
    "runner": "DataflowRunner",
    "project": "my-project",
    "region": "us-central1",
    "temp_location": "gs://bucket/tmp",
    "sdk_container_image": "us-docker.pkg.dev/my-project/tfcap/tfcap:1",
}
PLACES = {"--photos": ["gs://bucket/photos"], "--output": ["gs://bucket/records"]}
GPU = "worker_accelerator=type:nvidia-l4;count:1;install-nvidia-driver"


def options(*flags: str, **given: str | None):
    set_ = {name: value for name, value in {**GIVEN, **given}.items() if value}
    return parse_beam_options([*(f"--{n}={v}" for n, v in set_.items()), *flags])


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    monkeypatch.setattr(google.auth, "default", lambda: (None, "my-project"))


def test_a_job_with_all_it_needs_passes():
    dataflow.check(options(), PLACES)
    dataflow.check(options(runner="dataflow"), PLACES)


def test_other_runners_are_not_looked_at():
    for runner in (None, "DirectRunner", "FlinkRunner"):
        dataflow.check(parse_beam_options([f"--runner={runner}"] * bool(runner)), {})
    assert not dataflow.is_chosen(parse_beam_options(["--runner=FlinkRunner"]))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"project": None}, "--project: DataflowRunner needs the Google Cloud project"),
        ({"region": None}, "--region: DataflowRunner needs the region"),
        ({"temp_location": None}, "--temp_location: .*gs://BUCKET/tmp; received none"),
        ({"temp_location": "/tmp"}, "--temp_location: .*; received /tmp"),
        ({"temp_location": "gs://B_/t"}, "--temp_location: .*; received gs://B_/t"),
        (
            {"sdk_container_image": None},
            "--sdk_container_image: .*has neither tfcap",
        ),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_what_is_missing_is_named(given, message, dry_run):
    with pytest.raises(UserError, match=message):
        dataflow.check(options(**given), PLACES, dry_run)


def test_a_staging_location_alone_will_do():
    flag = "--staging_location=gs://bucket/staging"
    dataflow.check(options(flag, temp_location=None), PLACES)


@pytest.mark.parametrize(
    ("option", "path"),
    [
        ("--photos", "photos/*.jpg"),
        ("--output", "/mnt/records"),
        ("--captions", "s3://bucket/captions.txt"),
    ],
)
def test_a_place_that_workers_cannot_reach_is_named(option, path):
    with pytest.raises(UserError, match=f"{option}: .* is on this machine, where Data"):
        dataflow.check(options(), {**PLACES, option: [path]})


def test_a_gpu_for_all_and_for_one_step_contradict_each_other():
    all_, one = f"--dataflow_service_options={GPU}", "--encoder_resource_hints"
    dataflow.check(options(all_, f"{one}=min_ram=16GB"), PLACES)
    with pytest.raises(UserError, match="takes an accelerator for one step or"):
        dataflow.check(options(all_, f"{one}=accelerator=type:nvidia-l4"), PLACES)


def test_without_credentials_only_a_dry_run_goes_on(monkeypatch):
    def fail():
        raise DefaultCredentialsError("none")

    monkeypatch.setattr(google.auth, "default", fail)
    with pytest.raises(UserError, match="run `gcloud auth application-default login`"):
        dataflow.check(options(), PLACES)
    dataflow.check(options(), PLACES, dry_run=True)


def test_without_the_extra_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam.runners.dataflow.internal", None)
    with pytest.raises(UserError, match=r"pip install 'apache-beam\[gcp\]"):
        dataflow.check(options(), PLACES)


@pytest.mark.parametrize(
    "error",
    [
        Forbidden("no permission\non it"),
        RetryError("no answer", None),
        RefreshError("expired"),
        OSError("Could not upload to GCS path gs://bucket/x: 403. Please verify"),
    ],
)
def test_googles_refusals_are_one_sentence(error):
    raised = as_raised(error)
    assert isinstance(raised, UserError)
    assert str(raised).startswith("Google Cloud does not take the job: ")
    assert "\n" not in str(raised)


def test_a_defect_is_none_of_googles():
    error = ZeroDivisionError("1/0")
    assert as_raised(error) is error


def test_options_that_contradict_each_other_are_one_sentence():
    flags = ["--num_workers=5", "--max_num_workers=3", "--dry_run=True"]
    with pytest.raises(UserError, match=r"^num_workers \(5\) cannot exceed max_num_wo"):
        make_pipeline(options(*flags))


class Submitted:
    """The service's answer."""

    id = "2025-11-24_00_00_00-1"


def test_a_job_that_went_is_named_with_its_page():
    result = DataflowPipelineResult(Submitted(), None)
    said = dataflow.describe_submission(result, options(), "gs://bucket/records")
    assert said.splitlines() == [
        "submitted as job 2025-11-24_00_00_00-1: https://console.cloud.google.com/"
        "dataflow/jobs/us-central1/2025-11-24_00_00_00-1?project=my-project",
        "its output will be in gs://bucket/records",
    ]


def test_a_template_has_no_job_yet():
    given = options("--template_location=gs://bucket/job")
    said = dataflow.describe_submission(DataflowPipelineResult(None, None), given, "x")
    assert said == "the job is written to gs://bucket/job and not started"


class Client:
    """Google's side of a submission; it takes any job."""

    def __init__(self, *_):
        pass

    def create_job(self, job):
        return Submitted()


class Buckets:
    def is_soft_delete_enabled(self, path):
        return False


def test_the_command_submits_and_does_not_wait(monkeypatch, capsys, caplog):
    job = Job(
        photos="gs://bucket/photos",
        source=Jsonl.named(["gs://bucket/captions.jsonl"], None),
        output="gs://bucket/records",
        config=small_config(),
        encoder=INFO,
        features=FeatureSpec(shape=(3,), dtype="float32"),
        max_reject_fraction=0.1,
    )
    monkeypatch.setattr(apiclient, "DataflowApplicationClient", Client)
    monkeypatch.setattr(gcsio, "GcsIO", Buckets)
    monkeypatch.setattr(command, "use_options", lambda *_: None)
    monkeypatch.setattr(build_records, "make_job", lambda *_: job)
    monkeypatch.setattr(command, "claim", lambda *_: nullcontext())
    flags = [*(f"--{name}={value}" for name, value in GIVEN.items()), "--source=jsonl"]
    flags += [f"--{name}=gs://bucket/x" for name in ("photos", "captions", "output")]
    assert build_records.main([*flags, "--config=any.yaml"]) == 0
    out, _ = capsys.readouterr()
    assert out.startswith(f"submitted as job {Submitted.id}: https://console.cloud")
    assert "not on Google's machines" in caplog.text
