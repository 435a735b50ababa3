"""Runs a pipeline, and turns its errors into messages for the user."""

import argparse
import gc
import logging
import re
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.portability.api import beam_provision_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.runners.portability.fn_api_runner.fn_runner import (
    ExtendedProvisionInfo,
)
from apache_beam.runners.portability.portable_runner import JobServiceHandle

from beam_jobs.runners import dataflow, job_server, option_files, registry
from beam_jobs.runners.resource_hints import encoder_hints
from records.console import suggest
from records.errors import UserError

LOCAL = (None, "DirectRunner", "FnApiRunner")
USER_ERROR = re.compile(r"UserError: (?P<message>.+?)(?: \[while running|\n|\\n|$)")

# What Beam makes of a worker process that has gone.
WORKER_GONE = "Channel closed prematurely"
WATCHES_WORKER = "run_worker"  # the thread of Beam that waits for its end
# What Beam makes of Ctrl-C inside a step.
INTERRUPTED = re.compile(r"^KeyboardInterrupt\b", re.MULTILINE)


def parse_command(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None
) -> tuple[argparse.Namespace, PipelineOptions]:
    """Parses a job's own options, and Beam's after them; a wrong one exits with 2.

    Raises:
        UserError: the file of `--beam_options` is wrong.
    """
    option_files.add_options(parser)
    args, beam_flags = parser.parse_known_args(argv)
    flags = [*option_files.read_flags(args.beam_options), *beam_flags]
    try:
        options = parse_beam_options(flags, list(vars(args)))
        encoder_hints(options)
        return args, options
    except UserError as error:
        parser.error(str(error))


def parse_beam_options(
    flags: Sequence[str], others: Sequence[str] = ()
) -> PipelineOptions:
    """Parses Beam's options; refuses an unknown one, which Beam itself would ignore.

    Args:
        flags: as given on the command line.
        others: names of options that are not Beam's, to suggest.

    Raises:
        UserError: names the unknown option and the nearest known one; there is no
            such runner, or it is refused.
    """
    # The callback is the one way to see every option's spelling before Beam 3.0.
    known, unknown = [], []

    def collect(parser: argparse.ArgumentParser) -> None:
        known.extend(parser._option_string_actions)
        unknown.extend(parser.parse_known_args(list(flags))[1])

    PipelineOptions([]).get_all_options(add_extra_args_fn=collect)
    if unknown and not unknown[0].startswith("-"):
        raise UserError(f"unexpected argument {unknown[0]!r}")
    if unknown:
        name = unknown[0].split("=")[0]
        known.extend(f"--{other}" for other in others)
        near = suggest(name, known) if name.startswith("--") else []
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UserError(f"unknown option {name}{hint}")
    options = PipelineOptions(list(flags))
    registry.resolve_runner(options)
    return options


def run_pipeline(build: Callable[[beam.Pipeline], None], options: PipelineOptions):
    """Builds and runs a pipeline to its end; one for Dataflow is only submitted.

    DirectRunner first looks for another runner's binary on the network; FnApiRunner,
    which it would fall back to, starts at once.

    Raises:
        UserError: a worker raised it; its stack is left out.
        KeyboardInterrupt: Ctrl-C, in whatever part of the job.
    """
    registry.warn(options)
    job_server.prepare(options)
    if options.view_as(StandardOptions).runner in LOCAL:
        logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    with new_pipeline(options) as pipeline:
        build(pipeline)
        silence_threads()
        with job_server.watch_job_server(options), freeze_garbage():
            return run(pipeline, options)


def run(pipeline: beam.Pipeline, options: PipelineOptions):
    with note_ctrl_c() as noted:
        try:
            result = pipeline.run()
            if not dataflow.is_chosen(options):
                result.wait_until_finish()
        except Exception as error:
            raised = KeyboardInterrupt() if noted else as_raised(error)
            if raised is error:
                raise
            raise raised from None
    return result


@contextmanager
def new_pipeline(options: PipelineOptions) -> Iterator[beam.Pipeline]:
    """Makes a pipeline, and removes its folder of temporary files at the end.

    Beam makes a folder there for every pipeline, and removes it where one is run.
    """
    pipeline = make_pipeline(options)
    try:
        yield pipeline
    finally:
        shutil.rmtree(pipeline.local_tempdir, ignore_errors=True)


def make_pipeline(options: PipelineOptions) -> beam.Pipeline:
    """Returns an empty pipeline for the runner of the options.

    Raises:
        UserError: Beam has no such runner, or its options contradict each other.
    """
    name = options.view_as(StandardOptions).runner
    try:
        runner = local_runner(options) if name in LOCAL else name
        return beam.Pipeline(runner=runner, options=options)
    except ValueError as error:
        problem = str(error).removeprefix("Pipeline has validations errors:")
        raise UserError(" ".join(problem.split())) from None
    except Exception as error:
        raise dataflow.as_user_error(error) or error from None


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


def silence_threads() -> None:
    """Keeps Beam's own threads from printing that they lost a worker or a job server.

    The run itself fails with that error. Some threads notice the end of a job server
    only after the run, so they stay silent for good.
    """
    hook = threading.excepthook

    def pass_on(failed) -> None:
        watches = failed.thread is not None and failed.thread.name == WATCHES_WORKER
        if not watches and not issubclass(failed.exc_type, grpc.RpcError):
            hook(failed)

    threading.excepthook = pass_on


@contextmanager
def freeze_garbage() -> Iterator[None]:
    """Excludes the objects that exist before the job from garbage collection.

    These are half a million objects of TensorFlow, Keras and Beam, none of them
    garbage. Each collection would spend a quarter of a second on them.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def note_ctrl_c() -> Iterator[list[int]]:
    """Records Ctrl-C before it is raised; yields the list of records.

    Beam and TensorFlow may replace the exception by another one.
    """
    noted: list[int] = []

    def note(number: int, frame) -> None:
        noted.append(number)
        signal.default_int_handler(number, frame)

    in_charge = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, note) if in_charge else None
    try:
        yield noted
    finally:
        if in_charge:
            signal.signal(signal.SIGINT, before)


def as_raised(error: Exception) -> BaseException:
    """Returns the user's view of an error: UserError, Ctrl-C, or `error` itself."""
    # In this process it comes as it is, from another as the text of a traceback.
    raised_here = isinstance(error, UserError)
    match = USER_ERROR.search(f"UserError: {error}" if raised_here else str(error))
    if match:
        return UserError(match["message"])
    if INTERRUPTED.search(str(error)):
        return KeyboardInterrupt()
    if WORKER_GONE in str(error):
        return UserError(
            "a worker process of the job is gone: it was killed, or memory ran out. "
            "Finished shards stay; run the same command again to resume"
        )
    return dataflow.as_user_error(error) or error
