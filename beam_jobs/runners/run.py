"""Runs a pipeline, and turns its errors into messages for the user."""

import gc
import logging
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import apache_beam as beam
import grpc
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineResult

from beam_jobs.runners import dataflow, registry
from beam_jobs.runners.beam_internals import WATCHES_WORKER, WORKER_GONE, local_runner
from beam_jobs.runners.job_server import watch_job_server
from records.errors import UserError
from records.interrupts import note_ctrl_c

USER_ERROR = re.compile(r"UserError: (?P<message>.+?)(?: \[while running|\n|\\n|$)")


def run_pipeline(
    build: Callable[[beam.Pipeline], None], options: PipelineOptions
) -> PipelineResult:
    """Builds and runs a pipeline to its end; one for Dataflow is only submitted.

    Raises:
        UserError: a worker raised it; its stack is left out.
        KeyboardInterrupt: Ctrl-C, in whatever part of the job.
    """
    registry.warn(options)
    if not dataflow.is_chosen(options):  # for good: threads log after the run, too
        logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    with watch_job_server(options), new_pipeline(options) as pipeline:
        build(pipeline)
        silence_threads()
        with freeze_garbage():
            return run(pipeline, options)


def run(pipeline: beam.Pipeline, options: PipelineOptions) -> PipelineResult:
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
    local = registry.is_local(options)
    try:
        runner = local_runner(options) if local else registry.runner_name(options)
        return beam.Pipeline(runner=runner, options=options)
    except ValueError as error:
        problem = str(error).removeprefix("Pipeline has validations errors:")
        raise UserError(" ".join(problem.split())) from None
    except Exception as error:
        raise dataflow.as_user_error(error) or error from None


def silence_threads() -> None:
    """Keeps Beam's own threads from printing that they lost a worker or a job server.

    The run itself fails with that error. Some threads notice the end of a job server
    only after the run, so they stay silent for good.
    """
    hook = threading.excepthook

    def pass_on(failed: threading.ExceptHookArgs) -> None:
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


def as_raised(error: Exception) -> Exception:
    """Returns the user's view of an error: a UserError, or `error` itself."""
    # In this process it comes as it is, from another as the text of a traceback.
    name = "UserError: " if isinstance(error, UserError) else ""
    if match := USER_ERROR.search(f"{name}{error}"):
        return UserError(match["message"])
    if WORKER_GONE in str(error):
        return UserError(
            "a worker process of the job is gone: it was killed, or memory ran out. "
            "Finished shards stay; run the same command again to resume"
        )
    return dataflow.as_user_error(error) or error
