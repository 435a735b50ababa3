"""Runs the command of a Beam job, from its options to its summary."""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineState

from beam_jobs.io.beam_storage import register
from beam_jobs.io.output_directory import claim
from beam_jobs.io.preflight import check_names, use_options
from beam_jobs.runners import dataflow, dry_run
from beam_jobs.runners.options import parse_command


@dataclass(frozen=True)
class JobCommand:
    """The parts of a command in which the jobs differ.

    Attributes:
        make_parser: makes the parser of its options.
        check_options: exits with 2 if these do not fit together.
        places: option -> the paths that workers read from or write to.
        make_job: makes the job; with False it reads no file, and the job is only shown.
        construct: adds the job's steps to a pipeline.
        run: runs the job.
        last_file: name of the file that makes the output complete.
        product: the contents of the output, in a word.
        print_summary: prints the outcome of a job that took some seconds.
    """

    make_parser: Callable[[], argparse.ArgumentParser]
    places: Callable[[argparse.Namespace], Mapping[str, Sequence[str]]]
    make_job: Callable[[argparse.Namespace, bool], Any]
    construct: Callable[[beam.Pipeline, Any], None]
    run: Callable[[Any, PipelineOptions], Any]
    last_file: str
    product: str
    print_summary: Callable[[Any, Any, float], None]
    check_options: Callable[[argparse.ArgumentParser, argparse.Namespace], None] = (
        lambda parser, args: None
    )


def run_job(
    command: JobCommand, argv: Sequence[str] | None, prog: str | None = None
) -> int:
    """Runs a job's command line, or shows the job for `--dry_run`.

    Args:
        command: the part that is the job's own.
        argv: the arguments; None for those of the process.
        prog: the command's name in usage lines; None for its module's.

    Returns:
        The exit code.

    Raises:
        UserError: the options are wrong, or the job failed for a reason of the user's.
    """
    register()
    parser = command.make_parser()
    parser.prog = prog or parser.prog
    args, options = parse_command(parser, argv)
    command.check_options(parser, args)
    places, only_show = command.places(args), args.dry_run is not None
    check_names(places)
    dataflow.check(options, places, dry_run=only_show)
    started = time.monotonic()
    use_options(options, {} if only_show else places)
    job = command.make_job(args, dry_run.may_check_inputs(args.dry_run, places))
    if only_show:
        return dry_run.show(
            lambda pipeline: command.construct(pipeline, job), options, args.dry_run
        )
    with claim(job.output, command.last_file, args.overwrite):
        result = command.run(job, options)
    print_outcome(command, job, result, options, time.monotonic() - started)
    return 0


def print_outcome(
    command: JobCommand, job: Any, result: Any, options: PipelineOptions, seconds: float
) -> None:
    """Prints the summary of a finished job, or where to find one that was submitted."""
    if dataflow.is_chosen(options):
        print(dataflow.describe_submission(result, options, job.output))
    elif not PipelineState.is_terminal(result.state):
        print(f"submitted; the {command.product} will be in {job.output}")
    else:
        command.print_summary(job, result, seconds)
