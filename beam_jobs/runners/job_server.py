"""Flink, Spark and Prism take a job from a job server, a program that Beam starts.

`docs/guides/flink_spark.md` says how to make the programs. Their errors have to reach
the user, and Ctrl-C has to reach the Flink cluster behind one: the job server only
stops waiting for the job, so the job is cancelled through the cluster's own interface
(REST).
"""

import json
import logging
import os
import re
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
)
from apache_beam.runners.portability.flink_runner import MAGIC_HOST_NAMES

from beam_jobs.runners.beam_internals import silence_worker_prints
from beam_jobs.runners.registry import runner_name
from records.errors import UserError


class JobServer(NamedTuple):
    """A job server.

    Attributes:
        engine: what runs the job behind it.
        option: names the program; without it Beam fetches one.
        make: the command that makes the program.
    """

    engine: str
    option: str
    make: str


SERVERS = {
    "FlinkRunner": JobServer(
        "Flink", "flink_job_server_jar", "deploy/job_server.sh flink"
    ),
    "SparkRunner": JobServer(
        "Spark", "spark_job_server_jar", "deploy/job_server.sh spark"
    ),
    "PrismRunner": JobServer(
        "Prism",
        "prism_location",
        "go install github.com/apache/beam/sdks/v2/go/cmd/prism@v" + beam.__version__,
    ),
}
LOGGER = logging.getLogger(__name__)
WORKERS_STAY = 5_000  # milliseconds
REST_SECONDS = 10.0
GONE = ("CANCELED", "FAILED", "FINISHED")

FAILED = re.compile(r"Pipeline \S+ failed in state (?P<state>\w+): (?P<why>.+)")
NOT_FETCHED = re.compile(r"Unable to fetch remote (job server jar|prism binary)")


@contextmanager
def watch_job_server(options: PipelineOptions) -> Iterator[None]:
    """Completes the options of such a runner, and cancels the job at Ctrl-C.

    The log of workers in this process stays off the terminal: a failed step is raised
    in the end, with its own stack. With another runner nothing is done.

    Raises:
        UserError: the cluster or the job server failed. Exceptions of a step are
            raised unchanged.
    """
    server = SERVERS.get(runner_name(options) or "")
    if server is None:
        yield
        return
    complete(options)
    program, cluster = existing_program(options, server), flink_cluster(options)
    try:
        with silence_workers():
            yield
    except KeyboardInterrupt:
        if cluster:
            cancel(cluster, job_name_options(options).job_name)
        raise
    except Exception as error:
        raise as_user_error(error, server, program) or error from None


@contextmanager
def silence_workers() -> Iterator[None]:
    """Keeps the log of workers in this process off the terminal."""
    silence_worker_prints()
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def complete(options: PipelineOptions) -> None:
    """Names the job. Keeps workers between steps: a new one loads TensorFlow again."""
    portable, named = options.view_as(PortableOptions), job_name_options(options)
    named.job_name = named.job_name or f"tfcap-{uuid.uuid4().hex[:8]}"
    stay = portable.environment_cache_millis or WORKERS_STAY
    portable.environment_cache_millis = stay


def existing_program(options: PipelineOptions, server: JobServer) -> str | None:
    """Returns the job server of the options; None for the one that Beam fetches."""
    program = options.get_all_options()[server.option]
    if program and "://" not in program and not os.path.exists(program):
        raise UserError(
            f"--{server.option}: no file {program}; make one with `{server.make}`"
        )
    return program


def flink_cluster(options: PipelineOptions) -> str | None:
    """Returns the address of the Flink cluster; None for one in the job server."""
    master = options.view_as(FlinkRunnerOptions).flink_master.strip()
    flink = runner_name(options) == "FlinkRunner"
    return master if flink and master not in MAGIC_HOST_NAMES else None


def job_name_options(options: PipelineOptions) -> GoogleCloudOptions:
    """Returns the options that hold `job_name`, for every runner."""
    return options.view_as(GoogleCloudOptions)


def as_user_error(
    error: Exception, server: JobServer, program: str | None
) -> UserError | None:
    """Converts failures that a user can fix; returns None for a step's own failure."""
    text = str(error)
    if "Traceback (most recent call last)" in text:
        return None
    failed = FAILED.match(text)
    if failed and failed["state"] == "CANCELLED":
        return UserError(f"the job was cancelled in {server.engine}")
    if failed:
        return UserError(f"{server.engine} gave the job up: {failed['why']}")
    if text.startswith("Service failed to start up"):
        return UserError(f"{program} does not start; run it by hand to see why")
    if NOT_FETCHED.match(text):
        return UserError(
            f"{text}; or make one with `{server.make}`, and name it by "
            f"--{server.option}"
        )
    if isinstance(error, FileNotFoundError):
        return UserError(f"no program {error.filename!r} to start a job server with")
    return None


def cancel(master: str, name: str) -> None:
    """Cancels a job of a Flink cluster, or warns that it may still run.

    Args:
        master: the cluster's address, `host:port` with or without a scheme before it.
        name: of the job; if several have it, the one started last is cancelled.
    """
    base = master if "://" in master else f"http://{master}"
    try:
        jobs = call("GET", f"{base}/jobs/overview")["jobs"]
        ours = [job for job in jobs if job["name"] == name and job["state"] not in GONE]
        for job in sorted(ours, key=lambda job: job["start-time"])[-1:]:
            call("PATCH", f"{base}/jobs/{job['jid']}?mode=cancel")
    except (OSError, ValueError, KeyError) as error:
        LOGGER.warning(
            "%s may still run at %s; cancel it there (%s)", name, base, error
        )


def call(method: str, url: str) -> dict:
    """Returns the cluster's answer.

    Raises:
        OSError: no answer, or one that says no.
        ValueError: an answer that is not JSON.
    """
    request = urllib.request.Request(url, method=method)
    with urllib.request.urlopen(request, timeout=REST_SECONDS) as answer:
        return json.load(answer)
