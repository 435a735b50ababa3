"""Imports Beam without the warning that Google's clients are not installed.

Without the extra `gcp` Beam logs it at its first import; most users of these jobs leave
that extra out on purpose. Commands import this module before anything of Beam's.
"""

import logging

logging.disable(logging.WARNING)
import apache_beam as _  # noqa: E402, F401

logging.disable(logging.NOTSET)
