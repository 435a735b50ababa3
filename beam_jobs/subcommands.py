"""The subcommands `tfcap build` and `tfcap caption-photos`.

Beam is imported when one of them runs, so that `tfcap --help` is instant.
"""

import importlib
from collections.abc import Sequence

from beam_jobs.runners.beam_logging import import_beam_quietly
from records.extras import check_extras
from records.status_line import status_line
from records.tensorflow_logging import silence_startup


def build(argv: Sequence[str]) -> int:
    """Write records from captioned photos."""
    return run("build_records", "tfcap build", argv)


def caption_photos(argv: Sequence[str]) -> int:
    """Caption a large photo collection with an exported model."""
    return run("caption_photos", "tfcap caption-photos", argv)


def run(module: str, prog: str, argv: Sequence[str]) -> int:
    """Runs a job's command; `prog` is its name in usage lines."""
    check_extras("beam")
    silence_startup()
    import_beam_quietly()
    with status_line("loading Keras, some seconds"):
        command = importlib.import_module(f"beam_jobs.{module}")
    return command.main(argv, prog)
