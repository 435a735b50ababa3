"""Keeps Beam from warning that Google's clients are not installed.

Without the extra `gcp` Beam logs it at its first import; most users of these jobs leave
that extra out on purpose.
"""

import importlib
import logging
import sys


def import_beam_quietly() -> None:
    """Imports Beam without that warning; commands call it before they import Beam."""
    if sys.stderr.isatty():  # several seconds, before a command can say anything else
        sys.stderr.write("loading Beam and TensorFlow\n")
    logging.disable(logging.WARNING)
    importlib.import_module("apache_beam")
    logging.disable(logging.NOTSET)
