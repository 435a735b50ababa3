"""Which runner runs a job, and how its errors reach a person."""

import difflib
import logging
import re
from collections.abc import Callable, Sequence

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from records.errors import UserError

LOCAL = (None, "DirectRunner", "FnApiRunner")
USER_ERROR = re.compile(r"UserError: (?P<message>.+?)(?: \[while running|\n|\\n|$)")


def parse_beam_options(flags: Sequence[str]) -> PipelineOptions:
    """Beam options, an unknown one refused (Beam itself would drop it in silence).

    Raises:
        UserError: names the unknown option and the nearest known one.
    """
    known = _known_options()
    for flag in flags:
        name = flag.split("=")[0].lstrip("-").replace("-", "_")
        if flag.startswith("--") and name not in known and name[3:] not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean --{near[0]}?" if near else ""
            raise UserError(f"unknown option {flag.split('=')[0]}{hint}")
    if flags and not flags[0].startswith("--"):
        raise UserError(f"unexpected argument {flags[0]!r}")
    return PipelineOptions(list(flags))


def run_pipeline(build: Callable[[beam.Pipeline], None], options: PipelineOptions):
    """Builds and runs a pipeline; a local one to its end.

    DirectRunner first looks for another runner's binary on the network; FnApiRunner,
    which it would fall back to, starts at once.

    Raises:
        UserError: one that a worker raised, without the stack it came through.
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
    try:
        result = pipeline.run()
        if name in LOCAL:
            result.wait_until_finish()
    except Exception as error:
        # In this process it comes as it is, from another as the text of a traceback.
        own = isinstance(error, UserError)
        found = USER_ERROR.search(f"UserError: {error}" if own else str(error))
        if not found:
            raise
        raise UserError(found["message"]) from None
    return result


def _known_options() -> set[str]:
    # Before 3.0 Beam has no public list of its options.
    return set(PipelineOptions([]).get_all_options())
