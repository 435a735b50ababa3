"""`--dry_run`: shows the job as it would be submitted, and submits nothing.

Without a network: the graph holds paths only, and none of them is followed on another
machine. With a directory, there come to stand in it

    graph.pb     the portable graph, apache_beam's `Pipeline` protocol buffer
    job.json     for Dataflow, the request that would be sent
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    PipelineOptions,
    StandardOptions,
    TestOptions,
)
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.transforms import environments
from rich.table import Column, Table

from beam_jobs.runners import dataflow
from beam_jobs.runners.run import LOCAL, new_pipeline
from records.console import plain_console
from records.storage.files import make_output, write_atomically, write_text

NOT_LOOKED_AT = "not looked at"
EMPTY = beam_runner_api_pb2.Environment()
GRAPH_LIMIT = 1_000_000  # bytes; a tenth of what Dataflow takes


@dataclass(frozen=True)
class Submission:
    """A job as it would be submitted.

    Attributes:
        runner: its name.
        graph: the portable graph.
        request: for Dataflow, the body of the request; else None.
    """

    runner: str
    graph: beam_runner_api_pb2.Pipeline
    request: dict[str, Any] | None = None

    @property
    def size(self) -> int:
        """Returns the size of the graph in bytes."""
        return self.graph.ByteSize()

    def steps(self) -> dict[str, beam_runner_api_pb2.PTransform]:
        """Returns full name -> step for primitive steps, without composites."""
        every = self.graph.components.transforms.values()
        working = (s for s in every if s.HasField("spec") and not s.subtransforms)
        return {step.unique_name: step for step in working}

    def environment_of(
        self, step: beam_runner_api_pb2.PTransform
    ) -> beam_runner_api_pb2.Environment:
        """Returns the environment of a step, empty for one that the runner does."""
        known = self.graph.components.environments
        return known[step.environment_id] if step.environment_id else EMPTY

    def environments(self) -> list[str]:
        """Returns descriptions of where workers run."""
        every = map(self.environment_of, self.steps().values())
        return sorted({describe_environment(e) for e in every if e.urn})

    def hints(self) -> dict[str, dict[str, str]]:
        """Returns full name -> resource hints of the steps that have any."""
        every = {n: self.environment_of(s) for n, s in self.steps().items()}
        return {
            name: {hint_name(u): value.decode() for u, value in hints.items()}
            for name, environment in every.items()
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
        RuntimeError: the graph is too large, so it holds more than paths.
    """
    submission = prepare(build, options)
    plain_console().print(table(submission))
    if folder:
        write(submission, folder)
    if submission.size > GRAPH_LIMIT:
        raise RuntimeError(
            f"the graph has {submission.size:,} bytes, more than {GRAPH_LIMIT:,}: it "
            "holds more than paths, a defect of the job"
        )
    print("nothing was submitted" + (f"; all of it is in {folder}" if folder else ""))
    return 0


def prepare(
    build: Callable[[beam.Pipeline], None], options: PipelineOptions
) -> Submission:
    """Builds the graph as the runner of the options would take it."""
    if dataflow.is_chosen(options):
        return prepare_for_dataflow(build, options)
    runner = options.view_as(StandardOptions).runner
    environment = environments.EmbeddedPythonEnvironment.default()
    with new_pipeline(options) as pipeline:
        build(pipeline)
        if runner not in LOCAL:
            environment = pipeline.runner.default_environment(options)
        graph = pipeline.to_runner_api(default_environment=environment)
    return Submission(runner or "in this process", graph)


def prepare_for_dataflow(
    build: Callable[[beam.Pipeline], None], options: PipelineOptions
) -> Submission:
    """Builds the request as Beam's own runner does, without contacting Google."""
    from apache_beam.runners.dataflow.internal import apiclient

    options.view_as(TestOptions).dry_run = True
    with new_pipeline(options) as pipeline:
        build(pipeline)
        job = pipeline.run().job
    job.options.view_as(TestOptions).dry_run = False  # no part of the request
    job.proto.environment = apiclient.Environment(
        packages=[],
        options=job.options,
        environment_version=apiclient._FNAPI_ENVIRONMENT_MAJOR_VERSION,
        proto_pipeline_staged_url=f"{job.google_cloud_options.staging_location}/graph",
        proto_pipeline=job.proto_pipeline,
    ).proto
    return Submission(dataflow.RUNNER, job.proto_pipeline, json.loads(job.json()))


def describe_environment(environment: beam_runner_api_pb2.Environment) -> str:
    """Returns `docker IMAGE`, `process COMMAND`, `external ADDRESS` or the kind."""
    kind, payload = environment.urn.split(":")[-2], environment.payload
    api = beam_runner_api_pb2
    detail = {
        "docker": lambda: api.DockerPayload.FromString(payload).container_image,
        "process": lambda: api.ProcessPayload.FromString(payload).command,
        "external": lambda: api.ExternalPayload.FromString(payload).endpoint.url,
    }.get(kind, str)
    return f"{kind} {detail()}".strip()


def hint_name(urn: str) -> str:
    return urn.split(":")[-2]


def table(submission: Submission) -> Table:
    shown = Table("", Column(overflow="fold"), show_header=False)
    for name, value in rows(submission):
        shown.add_row(name, value)
    return shown


def rows(submission: Submission) -> Iterator[tuple[str, str]]:
    yield "runner", submission.runner
    yield "steps", str(len(submission.steps()))
    yield "graph", f"{submission.size:,} bytes, whatever the number of photos"
    for environment in submission.environments():
        yield "workers run in", environment
    for step, hints in submission.hints().items():
        yield f"hints of {step}", ", ".join(f"{k}={v}" for k, v in hints.items())
    if submission.request:
        yield from request_rows(submission.request)


def request_rows(request: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields the resources that the request asks for."""
    yield "request", f"{len(json.dumps(request)):,} bytes"
    yield "job", request["name"]
    environment = request["environment"]
    options = environment["sdkPipelineOptions"]["options"]
    pool = environment["workerPools"][0]
    scaling = pool.get("autoscalingSettings", {})
    asked = {
        "project": options["project"],
        "region": options["region"],
        "machine": pool.get("machineType"),
        "disk, GB": pool.get("diskSizeGb"),
        "workers at most": scaling.get("maxNumWorkers"),
        "scaling": scaling.get("algorithm"),
        "threads a worker": pool.get("numThreadsPerWorker"),
        "services": ", ".join(environment.get("serviceOptions", [])),
        "experiments": ", ".join(environment.get("experiments", [])),
    }
    yield from ((name, str(value)) for name, value in asked.items() if value)


def write(submission: Submission, folder: str) -> None:
    make_output(folder, "--dry_run")
    graph = submission.graph.SerializeToString(deterministic=True)
    write_atomically(os.path.join(folder, "graph.pb"), graph)
    if submission.request:
        request = json.dumps(submission.request, indent=2, sort_keys=True)
        write_text(os.path.join(folder, "job.json"), request)
