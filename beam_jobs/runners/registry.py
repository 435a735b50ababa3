"""Lists which of Beam's runners are known to run these jobs correctly.

A runner that loses elements, or reports success without running a step, makes records
that look finished. So each is tested, used with a warning, or refused.
"""

import logging

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from records.console import suggest
from records.errors import UserError

LOGGER = logging.getLogger(__name__)
# In this process. `DirectRunner` stands for `FnApiRunner`: `docs/guides/build.md`.
LOCAL = (None, "DirectRunner", "FnApiRunner")
# A test compares every byte of the output with that of a local run.
TESTED = ("DirectRunner", "FnApiRunner", "PrismRunner", "FlinkRunner", "SparkRunner")
UNTRIED = "these jobs have not been tried on it"
DOUBTS = {
    "DataflowRunner": "these jobs are tested up to their submission, not on Google's "
    "machines",
    "PortableRunner": "what runs the job stands behind --job_endpoint",
}
REFUSED = {"DaskRunner": "reports success and writes nothing (Beam 2.77)"}


def runner_name(options: PipelineOptions) -> str | None:
    return options.view_as(StandardOptions).runner


def is_local(options: PipelineOptions) -> bool:
    """Returns True for a job that runs in this process, or in children of it."""
    return runner_name(options) in LOCAL


def resolve_runner(options: PipelineOptions) -> None:
    """Gives the options' runner its full name, as Beam itself would.

    Raises:
        UserError: there is no such runner, or it is refused.
    """
    name = runner_name(options)
    if name is None:
        return
    name = options.view_as(StandardOptions).runner = full_name(name)
    if name in REFUSED:
        raise UserError(
            f"{name} {REFUSED[name]}; use another --runner, or none to run on this "
            "machine"
        )


def warn(options: PipelineOptions) -> None:
    """Warns about a runner that is not tested."""
    name = runner_name(options)
    if name is not None and name not in TESTED:
        LOGGER.warning(
            "warning: %s: %s (tested: %s); compare its output with that of a local run "
            "before you rely on it",
            name,
            DOUBTS.get(name, UNTRIED),
            ", ".join(TESTED),
        )


def full_name(name: str) -> str:
    """Returns `FlinkRunner` for `flink`, and the class name of Beam's dotted paths."""
    if "." in name and not name.startswith("apache_beam."):
        return name
    last = name.rpartition(".")[2].lower()
    known = {n.lower(): n for n in [*REFUSED, *StandardOptions.KNOWN_RUNNER_NAMES]}
    match = known.get(last) or known.get(f"{last}runner")
    if match or "." in name:
        return match or name
    near = suggest(last, known)
    hint = f"did you mean {known[near[0]]}?" if near else "e.g. FlinkRunner"
    raise UserError(f"--runner: Beam has no {name!r}; {hint}")
