"""`--dry_run`: shows the job as it would be submitted, and submits nothing.

Without a network: the graph holds paths only, and none of them is followed on another
machine. The directory of the option receives

    graph.pb     the portable graph, apache_beam's `Pipeline` protocol buffer
    job.json     for Dataflow, the request that would be sent
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, TestOptions
from apache_beam.portability.api import beam_runner_api_pb2 as api
from apache_beam.transforms import environments
from rich.table import Column, Table

from beam_jobs.runners import dataflow
from beam_jobs.runners.beam_internals import dataflow_job
from beam_jobs.runners.registry import is_local, runner_name
from beam_jobs.runners.run import new_pipeline
from records.console import plain_console, print_plain
from records.storage.files import make_output, write_atomically, write_text

NOT_LOOKED_AT = "not looked at"
# Options of Beam that the table repeats; others may hold keys.
SHOWN = (
    *("project", "region", "machine_type", "disk_size_gb", "max_num_workers"),
    *("autoscaling_algorithm", "number_of_worker_harness_threads", "experiments"),
    *("dataflow_service_options", "flink_master", "parallelism", "job_endpoint"),
)


@dataclass(frozen=True)
class Submission:
    """A job as it would be submitted.

    Attributes:
        runner: its name.
        graph: the portable graph.
        request: for Dataflow, the body of the request; else None.
    """

    runner: str
    graph: api.Pipeline
    request: dict[str, Any] | None = None

    def steps(self) -> dict[str, api.Environment]:
        """Returns full name -> environment of the steps that workers do."""
        known = self.graph.components.environments
        return {
            step.unique_name: known[step.environment_id]
            for step in self.graph.components.transforms.values()
            if step.environment_id and not step.subtransforms
        }

    def environments(self) -> list[str]:
        """Returns descriptions of where workers run."""
        return sorted({describe_environment(e) for e in self.steps().values()})

    def hints(self) -> dict[str, dict[str, str]]:
        """Returns full name -> resource hints of the steps that have any."""
        return {
            step: {kind(urn): value.decode() for urn, value in hints.items()}
            for step, environment in self.steps().items()
            if (hints := environment.resource_hints)
        }


def may_check_inputs(folder: str | None, places: Mapping[str, Sequence[str]]) -> bool:
    """Returns False for a dry run with remote paths, whose files are not read.

    Args:
        folder: what `--dry_run` was given; None for a run in earnest.
        places: option -> paths.
    """
    remote = any("://" in path for paths in places.values() for path in paths)
    return folder is None or not remote


def show(
    build: Callable[[beam.Pipeline], None], options: PipelineOptions, folder: str
) -> int:
    """Prints what would be submitted, and writes it to `folder` unless that is empty.

    Raises:
        UserError: the options do not suit the runner; `folder` cannot be written.
    """
    submission = prepare(build, options)
    table = Table("", Column(overflow="fold"), show_header=False)
    for row in rows(submission, options):
        table.add_row(*row)
    plain_console().print(table)
    if folder:
        write(submission, folder)
    where = f"; all of it is in {folder}" if folder else ""
    print_plain(f"nothing was submitted{where}")
    return 0


def prepare(
    build: Callable[[beam.Pipeline], None], options: PipelineOptions
) -> Submission:
    """Builds the graph as the runner of the options would take it."""
    name = runner_name(options) or "in this process"
    environment: environments.Environment
    # With it Beam contacts nobody, neither here nor in `run`.
    options.view_as(TestOptions).dry_run = dataflow.is_chosen(options)
    with new_pipeline(options) as pipeline:
        build(pipeline)
        if dataflow.is_chosen(options):
            job = dataflow_job(pipeline)
            return Submission(name, job.proto_pipeline, json.loads(job.json()))
        if is_local(options):
            environment = environments.EmbeddedPythonEnvironment.default()
        else:
            environment = pipeline.runner.default_environment(options)
        return Submission(name, pipeline.to_runner_api(default_environment=environment))


def describe_environment(environment: api.Environment) -> str:
    """Returns `docker IMAGE`, `process COMMAND`, `external ADDRESS` or the kind."""
    name, payload = kind(environment.urn), environment.payload
    detail: dict[str, Callable[[], str]] = {
        "docker": lambda: api.DockerPayload.FromString(payload).container_image,
        "process": lambda: api.ProcessPayload.FromString(payload).command,
        "external": lambda: api.ExternalPayload.FromString(payload).endpoint.url,
    }
    return f"{name} {detail.get(name, str)()}".strip()


def kind(urn: str) -> str:
    """Returns the last name of a URN, before its version."""
    return urn.split(":")[-2]


def rows(submission: Submission, options: PipelineOptions) -> Iterator[tuple[str, str]]:
    yield "runner", submission.runner
    yield "steps of workers", str(len(submission.steps()))
    size = submission.graph.ByteSize()
    yield "graph", f"{size:,} bytes, whatever the number of photos"
    for environment in submission.environments():
        yield "workers run in", environment
    for step, hints in submission.hints().items():
        yield f"hints of {step}", ", ".join(f"{k}={v}" for k, v in hints.items())
    for option, value in options.get_all_options(drop_default=True).items():
        if option in SHOWN:
            yield f"--{option}", str(value)


def write(submission: Submission, folder: str) -> None:
    make_output(folder, "--dry_run")
    graph = submission.graph.SerializeToString(deterministic=True)
    write_atomically(os.path.join(folder, "graph.pb"), graph)
    if submission.request:
        request = json.dumps(submission.request, indent=2, sort_keys=True)
        write_text(os.path.join(folder, "job.json"), request)
