"""Uses what Beam and argparse have no public name for; nothing else here does.

Tried with the oldest and the newest Beam that `pyproject.toml` allows.
"""

import argparse
from collections.abc import Mapping
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, TestOptions
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.fn_api_runner.fn_runner import (
    ExtendedProvisionInfo,
)
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from apache_beam.runners.worker import sdk_worker

WATCHES_WORKER = "run_worker"  # the thread that waits for the end of a worker process
WORKER_GONE = "Channel closed prematurely"  # the error when a worker process has died


def option_parser() -> argparse.ArgumentParser:
    """Returns a parser of all options of Beam, and of subclasses of its options."""
    parsers: list[argparse.ArgumentParser] = []
    PipelineOptions([]).get_all_options(add_extra_args_fn=parsers.append)
    return parsers[0]


def known_options() -> Mapping[str, argparse.Action]:
    """Returns all options by their flags (`--region`)."""
    return option_parser()._option_string_actions


def local_runner(options: PipelineOptions) -> FnApiRunner:
    """Returns Beam's local runner, set up to pass the options to its worker processes.

    By default it passes none, and workers open remote files without the keys.
    """
    encoded = JobServiceHandle.encode_pipeline_options(
        options.get_all_options(drop_default=True)
    )
    info = beam_provision_api_pb2.ProvisionInfo(
        pipeline_options=encoded, retrieval_token="none"
    )
    return FnApiRunner(provision_info=ExtendedProvisionInfo(info))


def silence_worker_prints() -> None:
    """Replaces `print` in the module of Beam's worker, which logs the same text.

    It stays replaced: threads of the worker outlive a failed job, and their steps
    fail one after the other.
    """
    vars(sdk_worker)["print"] = lambda *_, **__: None


def dataflow_job(pipeline: beam.Pipeline) -> Any:
    """Returns the job that Beam would send to Dataflow, without contacting Google.

    Its `proto_pipeline` is the graph; its `json()` is the request.

    Args:
        pipeline: one whose options say `dry_run`.
    """
    from apache_beam.runners.dataflow.internal import apiclient

    result: Any = pipeline.run()
    job = result.job
    job.options.view_as(TestOptions).dry_run = False  # no part of the request
    job.proto.environment = apiclient.Environment(
        packages=[],
        options=job.options,
        environment_version=apiclient._FNAPI_ENVIRONMENT_MAJOR_VERSION,
        proto_pipeline_staged_url=f"{job.google_cloud_options.staging_location}/graph",
        proto_pipeline=job.proto_pipeline,
    ).proto
    return job
