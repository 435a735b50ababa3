"""What Beam has no public name for is there, in the Beam that is installed."""

from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
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


def test_the_worker_prints_again_afterwards():
    with internals.silence_worker_prints():
        assert vars(sdk_worker)["print"]("x") is None
    assert "print" not in vars(sdk_worker)


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
