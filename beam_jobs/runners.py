"""Which runner runs a job, and how its errors reach a person."""

import argparse
import difflib
import logging
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from records.errors import UserError

LOCAL = (None, "DirectRunner", "FnApiRunner")
USER_ERROR = re.compile(r"UserError: (?P<message>.+?)(?: \[while running|\n|\\n|$)")

# What Beam makes of Ctrl-C inside a step.
INTERRUPTED = re.compile(r"^KeyboardInterrupt\b", re.MULTILINE)


def parse_command(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None
) -> tuple[argparse.Namespace, PipelineOptions]:
    """Parses a job's own options, and Beam's after them; a wrong one exits with 2."""
    args, beam_flags = parser.parse_known_args(argv)
    try:
        return args, parse_beam_options(beam_flags, list(vars(args)))
    except UserError as error:
        parser.error(str(error))


def parse_beam_options(
    flags: Sequence[str], others: Sequence[str] = ()
) -> PipelineOptions:
    """Beam options, an unknown one refused (Beam itself would drop it in silence).

    Args:
        flags: as given on the command line.
        others: names of options that are not Beam's, to suggest.

    Raises:
        UserError: names the unknown option and the nearest known one.
    """
    # The callback is the one way to see every option's spelling before Beam 3.0.
    known, unknown = [], []

    def look(parser: argparse.ArgumentParser) -> None:
        known.extend(parser._option_string_actions)
        unknown.extend(parser.parse_known_args(list(flags))[1])

    PipelineOptions([]).get_all_options(add_extra_args_fn=look)
    if unknown and not unknown[0].startswith("-"):
        raise UserError(f"unexpected argument {unknown[0]!r}")
    if unknown:
        name = unknown[0].split("=")[0]
        known.extend(f"--{other}" for other in others)
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UserError(f"unknown option {name}{hint}")
    return PipelineOptions(list(flags))


def run_pipeline(build: Callable[[beam.Pipeline], None], options: PipelineOptions):
    """Builds and runs a pipeline; a local one to its end.

    DirectRunner first looks for another runner's binary on the network; FnApiRunner,
    which it would fall back to, starts at once.

    Raises:
        UserError: one that a worker raised, without the stack it came through.
        KeyboardInterrupt: Ctrl-C, wherever in the job it was noticed.
    """
    name = options.view_as(StandardOptions).runner
    if name == "DaskRunner":
        raise UserError(
            "DaskRunner reports success and writes nothing (Beam 2.77); use another "
            "--runner, or none to run on this machine"
        )
    runner = FnApiRunner() if name in LOCAL else name
    if name in LOCAL:
        logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    pipeline = beam.Pipeline(runner=runner, options=options)
    build(pipeline)
    with ctrl_c_noted() as noted:
        try:
            result = pipeline.run()
            if name in LOCAL:
                result.wait_until_finish()
        except Exception as error:
            raised = KeyboardInterrupt() if noted else as_raised(error)
            if raised is error:
                raise
            raise raised from None
    return result


@contextmanager
def ctrl_c_noted() -> Iterator[list[int]]:
    """Notes Ctrl-C before it is raised; yields the list it is noted in.

    On its way out the exception passes through Beam and TensorFlow, and either may
    make another one of it.
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
    """What a step raised, as far as a person is concerned; else `error` itself."""
    # In this process it comes as it is, from another as the text of a traceback.
    own = isinstance(error, UserError)
    found = USER_ERROR.search(f"UserError: {error}" if own else str(error))
    if found:
        return UserError(found["message"])
    return KeyboardInterrupt() if INTERRUPTED.search(str(error)) else error
