"""The input pipeline: records to batches.

pipeline.py       shards -> shuffle -> batch -> parse -> expand -> prefetch
shuffling.py      the order of an epoch's photos
expansion.py      captions to rows of (prefix, target)
padding.py        batches of one size
augmentation.py   pixels for an encoder that is trained
data_service.py   parsing and expansion on other machines
features.py       features for captioning and scoring
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfcap.data.pipeline import scoring_batches, training_batches

__all__ = ["scoring_batches", "training_batches"]
# Imported at first use: `import tfcap.data` loads no TensorFlow.
MODULES = {
    "scoring_batches": "tfcap.data.pipeline",
    "training_batches": "tfcap.data.pipeline",
}


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(MODULES[name]), name)
