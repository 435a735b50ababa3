"""Lists which of Beam's runners are known to run these jobs correctly.

A runner that loses elements, or reports success without running a step, makes records
that look finished. So each is tested, used with a warning, or refused.
"""

import sys
from dataclasses import dataclass

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from records.console import suggest
from records.errors import UserError


@dataclass(frozen=True)
class Known:
    """What we know about a runner.

    Attributes:
        doubt: why its output is not taken for granted; None where a test compares
            every byte of it with that of a local run.
        refused: it is not to be used at all.
    """

    doubt: str | None = None
    refused: bool = False


TESTED = Known()
UNTRIED = Known("these jobs have not been tried on it")
RUNNERS = {
    "DirectRunner": TESTED,  # in all its modes; it is FnApiRunner by another name
    "FnApiRunner": TESTED,
    "FlinkRunner": TESTED,
    "SparkRunner": TESTED,
    "DataflowRunner": Known(
        "these jobs are tested up to their submission, not on Google's machines"
    ),
    "PortableRunner": Known("what runs the job stands behind --job_endpoint"),
    "PrismRunner": UNTRIED,
    "DaskRunner": Known("reports success and writes nothing (Beam 2.77)", True),
}


def resolve_runner(options: PipelineOptions) -> None:
    """Gives the options' runner its full name, as Beam itself would.

    Raises:
        UserError: there is no such runner, or it is refused.
    """
    standard = options.view_as(StandardOptions)
    if standard.runner is None:
        return
    standard.runner = full_name(standard.runner)
    known = entry_of(standard.runner)
    if known.refused:
        raise UserError(
            f"{standard.runner} {known.doubt}; use another --runner, or none to run on "
            "this machine"
        )


def warn(options: PipelineOptions) -> None:
    """Warns on standard error about a runner that is not tested."""
    name = options.view_as(StandardOptions).runner
    doubt = entry_of(name).doubt if name else None
    if doubt:
        tested = ", ".join(name for name, known in RUNNERS.items() if known is TESTED)
        print(
            f"warning: {name}: {doubt} (tested: {tested}); compare its output with "
            "that of a local run before you rely on it",
            file=sys.stderr,
        )


def full_name(given: str) -> str:
    """Returns `FlinkRunner` for `flink`, and the class name of Beam's dotted paths."""
    if "." in given and not given.startswith("apache_beam."):
        return given
    last = given.rpartition(".")[2].lower()
    names = {name.lower(): name for name in [*RUNNERS, *every_name()]}
    match = names.get(last) or names.get(f"{last}runner")
    if match or "." in given:
        return match or given
    near = suggest(last, names)
    hint = f"did you mean {names[near[0]]}?" if near else "e.g. FlinkRunner"
    raise UserError(f"--runner: Beam has no {given!r}; {hint}")


def every_name() -> list[str]:
    return StandardOptions.KNOWN_RUNNER_NAMES


def entry_of(name: str) -> Known:
    return RUNNERS.get(name, UNTRIED)
