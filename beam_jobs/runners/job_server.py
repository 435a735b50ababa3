"""Flink and Spark take a job from Beam's job server, a Java program that Beam starts.

`deploy/job_server.sh` makes the program. Its errors have to reach the user, and Ctrl-C
has to reach the Flink cluster behind it: the job server only stops waiting for the job,
so the job is cancelled through the cluster's own interface (REST).
"""

import json
import logging
import os
import re
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

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

ENGINES = {"FlinkRunner": "flink", "SparkRunner": "spark"}
WORKERS_STAY = 5_000  # milliseconds
REST_SECONDS = 10.0
GONE = ("CANCELED", "FAILED", "FINISHED")

FAILED = re.compile(r"Pipeline \S+ failed in state (?P<state>\w+): (?P<why>.+)")


@contextmanager
def watch_job_server(options: PipelineOptions) -> Iterator[None]:
    """Completes the options for Flink or Spark, and cancels the job at Ctrl-C.

    The log of workers in this process stays off the terminal: a failed step is raised
    in the end, with its own stack. With another runner nothing is done.

    Raises:
        UserError: the cluster or the job server failed. Exceptions of a step are
            raised unchanged.
    """
    engine = ENGINES.get(runner_name(options) or "")
    if engine is None:
        yield
        return
    complete(options)
    jar, cluster = existing_jar(options, engine), flink_cluster(options, engine)
    logging.disable(logging.ERROR)
    try:
        with silence_worker_prints():
            yield
    except KeyboardInterrupt:
        if cluster:
            cancel(cluster, job_name_options(options).job_name)
        raise
    except Exception as error:
        raise as_user_error(error, engine, jar) or error from None
    finally:
        logging.disable(logging.NOTSET)


def complete(options: PipelineOptions) -> None:
    """Names the job. Keeps workers between steps: a new one loads TensorFlow again."""
    portable, named = options.view_as(PortableOptions), job_name_options(options)
    named.job_name = named.job_name or f"tfcap-{uuid.uuid4().hex[:8]}"
    stay = portable.environment_cache_millis or WORKERS_STAY
    portable.environment_cache_millis = stay


def existing_jar(options: PipelineOptions, engine: str) -> str | None:
    """Returns the job server of the options; None for the one that Beam fetches."""
    jar = options.get_all_options()[f"{engine}_job_server_jar"]
    if jar and "://" not in jar and not os.path.exists(jar):
        raise UserError(
            f"--{engine}_job_server_jar: no file {jar}; make one with "
            f"`deploy/job_server.sh {engine}`"
        )
    return jar


def flink_cluster(options: PipelineOptions, engine: str) -> str | None:
    """Returns the address of the Flink cluster; None for one in the job server."""
    master = options.view_as(FlinkRunnerOptions).flink_master.strip()
    return master if engine == "flink" and master not in MAGIC_HOST_NAMES else None


def job_name_options(options: PipelineOptions) -> GoogleCloudOptions:
    """Returns the options that hold `job_name`, for Flink's and Spark's jobs too."""
    return options.view_as(GoogleCloudOptions)


def as_user_error(error: Exception, engine: str, jar: str | None) -> UserError | None:
    """Converts failures that a user can fix; returns None for a step's own failure."""
    text = str(error)
    if "Traceback (most recent call last)" in text:
        return None
    failed = FAILED.match(text)
    if failed and failed["state"] == "CANCELLED":
        return UserError(f"the job was cancelled in {engine.title()}")
    if failed:
        return UserError(f"{engine.title()} gave the job up: {failed['why']}")
    if text.startswith("Service failed to start up"):
        return UserError(f"{jar} does not start; `java -jar {jar}` says why")
    if text.startswith("Unable to fetch remote job server jar"):
        make = f"deploy/job_server.sh {engine}"
        return UserError(f"{text}; or make one with `{make}`, and name it")
    if isinstance(error, FileNotFoundError):
        return UserError(
            f"no program {error.filename!r}: a job server is a Java program"
        )
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
        print(
            f"{name} may still run at {base}; cancel it there ({error})",
            file=sys.stderr,
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
