"""What Beam has no public name for is there, in the Beam that is installed."""

import queue
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability.fn_api_runner import worker_handlers as handlers
from apache_beam.runners.worker import data_plane, sdk_worker

from beam_jobs.runners import beam_internals as internals

BEAM = f"apache-beam {beam.__version__}"


def test_every_option_has_its_action():
    known = internals.known_options()
    assert known["--no_use_public_ips"].nargs == 0, BEAM
    assert known["--runner"].dest == "runner", BEAM


def test_the_local_runner_passes_options_on():
    runner = internals.local_runner(PipelineOptions(["--s3_region_name=x"]))
    info = runner._provision_info.provision_info
    assert "s3_region_name" in str(info.pipeline_options), BEAM


def test_a_failed_step_is_not_printed_by_the_worker(monkeypatch, capfd):
    monkeypatch.setitem(vars(sdk_worker), "print", print)
    internals.silence_worker_prints()
    worker = sdk_worker.SdkHarness.__new__(sdk_worker.SdkHarness)
    worker._responses = queue.Queue()
    request = beam_fn_api_pb2.InstructionRequest(instruction_id="1")
    worker._execute(lambda: 1 / 0, request)
    assert "ZeroDivisionError" in worker._responses.get().error, BEAM
    assert not capfd.readouterr().err, BEAM


def test_beams_texts_are_those_of_this_version():
    starts, reports = (Path(m.__file__).read_text() for m in (handlers, data_plane))
    assert f"name='{internals.WATCHES_WORKER}'" in starts, BEAM
    assert internals.WORKER_GONE in reports, BEAM


def test_the_file_system_of_s3_holds_its_options():
    s3 = pytest.importorskip("apache_beam.io.aws.s3filesystem")
    assert hasattr(s3.S3FileSystem(PipelineOptions([])), "_options"), BEAM


def test_dataflows_version_number_is_there():
    apiclient = pytest.importorskip("apache_beam.runners.dataflow.internal.apiclient")
    assert apiclient._FNAPI_ENVIRONMENT_MAJOR_VERSION.isdigit(), BEAM
