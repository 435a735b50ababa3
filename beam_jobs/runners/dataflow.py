"""Checks a job for Google Cloud Dataflow and describes its submission.

Mistakes are refused here before the job is submitted: there they would fail minutes
later, on a paid machine.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    SetupOptions,
    WorkerOptions,
)
from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator

from beam_jobs.runners.registry import runner_name
from beam_jobs.runners.resource_hints import encoder_hints
from records.errors import UserError
from records.extras import install_command

RUNNER = "DataflowRunner"
CONSOLE = (
    "https://console.cloud.google.com/dataflow/jobs/{region}/{job}?project={project}"
)


def is_chosen(options: PipelineOptions) -> bool:
    return runner_name(options) == RUNNER


def check(
    options: PipelineOptions, places: Mapping[str, Sequence[str]], dry_run: bool = False
) -> None:
    """Checks the command line of a job for Dataflow; reads no file.

    Args:
        options: Beam's; with another runner nothing is checked.
        places: option -> the paths that workers read from or write to.
        dry_run: nothing will be submitted, so it needs nobody's credentials.

    Raises:
        UserError: the first thing wrong, and what to do.
    """
    if not is_chosen(options):
        return
    problems = chain(
        missing_clients(),
        missing_options(options),
        accelerator_twice(options),
        places_on_this_machine(places),
        () if dry_run else missing_credentials(options),
    )
    for problem in problems:
        raise UserError(problem)


def missing_clients() -> Iterator[str]:
    try:
        from apache_beam.runners.dataflow.internal import apiclient  # noqa: F401
    except ImportError:
        yield (
            f"--runner={RUNNER} needs Beam's clients for Google Cloud: "
            f"{install_command('gcp')}"
        )


def missing_options(options: PipelineOptions) -> Iterator[str]:
    google = options.view_as(GoogleCloudOptions)
    if not google.project:
        yield f"--project: {RUNNER} needs the Google Cloud project to bill"
    if not google.region:
        yield f"--region: {RUNNER} needs the region to run in, e.g. us-central1"
    # Without one of the two Beam would make a bucket of its own choice.
    check = PipelineOptionsValidator(options, None).validate_gcs_path
    if all(check(google, name) for name in ("temp_location", "staging_location")):
        yield (
            f"--temp_location: {RUNNER} needs a folder of Cloud Storage for what it "
            "passes to workers, e.g. gs://BUCKET/tmp; received "
            f"{google.temp_location or 'none'}"
        )
    setup = options.view_as(SetupOptions)
    image = options.view_as(WorkerOptions).sdk_container_image
    if not (image or setup.setup_file or setup.extra_packages):
        yield (
            f"--sdk_container_image: {RUNNER}'s own image has neither tfcap nor "
            "TensorFlow; build one as docs/guides/dataflow.md says, and name it"
        )


def accelerator_twice(options: PipelineOptions) -> Iterator[str]:
    services = options.view_as(GoogleCloudOptions).dataflow_service_options or []
    all_workers = any(option.startswith("worker_accelerator=") for option in services)
    if all_workers and "accelerator" in encoder_hints(options):
        yield (
            "--encoder_resource_hints: Dataflow takes an accelerator for one step or, "
            "by --dataflow_service_options=worker_accelerator, for all; keep one"
        )


def places_on_this_machine(places: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for option, paths in places.items():
        for path in paths:
            if not path.startswith("gs://"):
                yield (
                    f"{option}: {path} is on this machine, where {RUNNER}'s workers "
                    "cannot reach it; name a place in Cloud Storage, gs://BUCKET/..."
                )


def missing_credentials(options: PipelineOptions) -> Iterator[str]:
    """Yields a problem if there are none; Beam itself would retry for minutes."""
    import google.auth

    if options.view_as(GoogleCloudOptions).no_auth:
        return
    try:
        google.auth.default()
    except google.auth.exceptions.DefaultCredentialsError:
        yield (
            f"{RUNNER} needs Google Cloud credentials, and there are none; run `gcloud "
            "auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS"
        )


def as_user_error(error: Exception) -> UserError | None:
    """Converts errors of Google's clients; returns None for any other."""
    # By the name of the package: it is there only with the extra `gcp`.
    clients = ("google.api_core.exceptions", "google.auth.exceptions")
    refused = any(cls.__module__ in clients for cls in type(error).__mro__)
    # What Beam makes of such an error where it stages files.
    if refused or str(error).startswith("Could not upload to GCS path"):
        reason = " ".join(str(error).split())
        return UserError(f"Google Cloud does not take the job: {reason}")
    return None


def describe_submission(result: Any, options: PipelineOptions, output: str) -> str:
    """Returns where a submitted job can be seen."""
    google = options.view_as(GoogleCloudOptions)
    if not result.has_job:
        return f"the job is written to {google.template_location} and not started"
    job = result.job_id()
    page = CONSOLE.format(region=google.region, job=job, project=google.project)
    return f"submitted as job {job}: {page}\nits output will be in {output}"
