"""Apache Beam pipelines: photos and captions to records, photos to captions.

Public names are imported when they are first used:

    Source, register_source   a form of captions of your own, for `tfcap build --source`
    Caption, SplitAssignment, Named, Reject   what a source yields
"""

import tfcap  # noqa: F401 - refuses another package `records`, before one is imported
from records.lazy_names import lazy_names

TYPE_CHECKING = False  # without typing, before whose import Ctrl-C has no handler
if TYPE_CHECKING:
    from beam_jobs.elements import Caption, Named, Reject, SplitAssignment
    from beam_jobs.sources.base import Source
    from beam_jobs.sources.registry import register_source

__all__ = [
    "Caption",
    "Named",
    "Reject",
    "Source",
    "SplitAssignment",
    "register_source",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Caption": "elements",
        "Named": "elements",
        "Reject": "elements",
        "Source": "sources.base",
        "SplitAssignment": "elements",
        "register_source": "sources.registry",
    },
)
