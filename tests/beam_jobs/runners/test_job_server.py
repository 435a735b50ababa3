"""How a job server is watched; `test_job_servers.py` starts real ones."""

import logging
import socket

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from beam_jobs.runners.job_server import watch_job_server
from beam_jobs.runners.options import parse_beam_options
from records.errors import UserError


@pytest.fixture
def closed_address() -> str:
    """Returns an address at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def test_a_job_that_cannot_be_cancelled_is_named(closed_address, caplog):
    flags = ["--runner=FlinkRunner", f"--flink_master={closed_address}"]
    options = PipelineOptions([*flags, "--job_name=captions"])
    with pytest.raises(KeyboardInterrupt), watch_job_server(options):
        logging.getLogger("apache_beam").error("the log of a worker")
        raise KeyboardInterrupt
    (message,) = caplog.messages
    assert message.startswith(f"captions may still run at http://{closed_address}; ")


def test_a_program_that_is_not_there_is_named():
    options = parse_beam_options(["--runner=prism", "--prism_location=gone"])
    message = "^--prism_location: no file gone; make one with `go install "
    with pytest.raises(UserError, match=message), watch_job_server(options):
        raise AssertionError
