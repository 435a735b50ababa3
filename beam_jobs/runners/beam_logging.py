"""Keeps Beam from warning that Google's clients are not installed.

Without the extra `gcp` Beam logs it at its first import; most users of these jobs leave
that extra out on purpose.
"""

import importlib
import logging

from records.status_line import status_line


def import_beam_quietly() -> None:
    """Imports Beam without that warning; commands call it before they import Beam."""
    logging.disable(logging.WARNING)
    with status_line("loading Apache Beam, some seconds"):
        importlib.import_module("apache_beam")
    logging.disable(logging.NOTSET)
