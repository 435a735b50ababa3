"""Flink and Spark take a job from Beam's job server, a Java program that Beam starts.

`deploy/job_server.sh` makes the program. Its errors have to reach the user, and Ctrl-C
has to reach the cluster behind it.
"""

import logging
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    GoogleCloudOptions,
    JobServerOptions,
    PipelineOptions,
    PortableOptions,
    SparkRunnerOptions,
    StandardOptions,
)
from apache_beam.runners.portability.flink_runner import MAGIC_HOST_NAMES
from apache_beam.runners.worker import sdk_worker

from beam_jobs.runners import flink_rest
from records.errors import UserError

RUNNERS = ("FlinkRunner", "SparkRunner")
WORKERS_STAY = 5_000  # milliseconds

FAILED = re.compile(r"Pipeline \S+ failed in state (?P<state>\w+): (?P<why>.+)")
NOT_STARTED = "Service failed to start up"
NOT_FETCHED = "Unable to fetch remote job server jar"


def is_chosen(options: PipelineOptions) -> bool:
    return options.view_as(StandardOptions).runner in RUNNERS


def engine_of(options: PipelineOptions) -> str:
    """Returns `flink` or `spark`, as in the names of their options."""
    return options.view_as(StandardOptions).runner.removesuffix("Runner").lower()


def jar_of(options: PipelineOptions) -> str | None:
    return options.get_all_options()[f"{engine_of(options)}_job_server_jar"]


def flink_master(options: PipelineOptions) -> str | None:
    """Returns the address of the Flink cluster; None for one in the job server."""
    master = options.view_as(FlinkRunnerOptions).flink_master.strip()
    of_flink = engine_of(options) == "flink" and master not in MAGIC_HOST_NAMES
    return master if of_flink else None


def job_name(options: PipelineOptions) -> GoogleCloudOptions:
    """Returns the options that hold `job_name`, for Flink's and Spark's jobs too."""
    return options.view_as(GoogleCloudOptions)


def prepare(options: PipelineOptions) -> None:
    """Completes the options for Flink or Spark; with another runner does nothing.

    Workers stay between steps: each new one would load TensorFlow again.

    Raises:
        UserError: there is no Java, or no such job server.
    """
    if not is_chosen(options):
        return
    portable, named = options.view_as(PortableOptions), job_name(options)
    named.job_name = named.job_name or f"tfcap-{uuid.uuid4().hex[:8]}"
    if not portable.environment_cache_millis:
        portable.environment_cache_millis = WORKERS_STAY
    if not portable.job_endpoint and not submits_itself(options):
        check_jar(options)
        check_java(options.view_as(JobServerOptions).job_server_java_launcher)


def submits_itself(options: PipelineOptions) -> bool:
    """Returns True if the job goes to the cluster as one jar, without a job server."""
    flink = options.view_as(FlinkRunnerOptions).flink_submit_uber_jar
    return flink or options.view_as(SparkRunnerOptions).spark_submit_uber_jar


def check_jar(options: PipelineOptions) -> None:
    engine, jar = engine_of(options), jar_of(options)
    if jar and "://" not in jar and not os.path.exists(jar):
        raise UserError(
            f"--{engine}_job_server_jar: no file {jar}; make one with "
            f"`deploy/job_server.sh {engine}`"
        )


def check_java(java: str) -> None:
    if not shutil.which(java):
        raise UserError(f"no program {java!r}: a job server is a Java program")


@contextmanager
def watch_job_server(options: PipelineOptions) -> Iterator[None]:
    """Silences a run on Flink or Spark, and cancels it at Ctrl-C.

    Raises:
        UserError: the cluster or the job server failed. Exceptions of a step are
            raised unchanged.
    """
    if not is_chosen(options):
        yield
        return
    engine, jar = engine_of(options), jar_of(options)  # Beam forgets its runner
    master, name = flink_master(options), job_name(options).job_name
    with silence_workers():
        try:
            yield
        except KeyboardInterrupt:
            if master:
                flink_rest.cancel(master, name)
            raise
        except Exception as error:
            raise as_user_error(error, engine, jar) or error from None


@contextmanager
def silence_workers() -> Iterator[None]:
    """Keeps the log of workers in this process off the terminal.

    A failed step is raised in the end, with its own stack; its worker and the job
    server would each print it too, the worker by `print`.
    """
    root = logging.getLogger()

    def keep(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.CRITICAL

    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    root.addFilter(keep)  # of what Beam logs without a name, and that alone
    sdk_worker.print = lambda *_, **__: None  # for that module alone
    try:
        yield
    finally:
        del sdk_worker.print
        root.removeFilter(keep)


def as_user_error(error: Exception, engine: str, jar: str | None) -> UserError | None:
    """Converts failures that a user can fix; returns None for a step's own failure."""
    text = str(error)
    failed = FAILED.match(text)
    if "Traceback (most recent call last)" in text:
        return None
    if failed and failed["state"] == "CANCELLED":
        return UserError(f"the job was cancelled in {engine.title()}")
    if failed:
        return UserError(f"{engine.title()} gave the job up: {failed['why']}")
    if text.startswith(NOT_STARTED):
        return UserError(f"{jar} does not start; `java -jar {jar}` says why")
    if text.startswith(NOT_FETCHED):
        make = f"deploy/job_server.sh {engine}"
        return UserError(f"{text}; or make one with `{make}`, and name it")
    return None
