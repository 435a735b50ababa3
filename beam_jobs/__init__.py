"""Apache Beam pipelines: photos and captions to records, photos to captions."""

import tfcap  # noqa: F401 - refuses another package `records`, before one is imported
