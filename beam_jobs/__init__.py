"""Apache Beam pipelines: photos and captions to records, photos to captions.

Importing it lets `records` read and write wherever Beam can (io/beam_storage.py).
"""

import logging

# Without the `gcp` extra Beam warns at its first import that Google's clients are not
# there; most users of this package do without them on purpose.
logging.disable(logging.WARNING)
import apache_beam as _  # noqa: E402, F401

logging.disable(logging.NOTSET)

import beam_jobs.io.beam_storage  # noqa: E402, F401
