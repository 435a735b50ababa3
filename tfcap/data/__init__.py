"""The input pipeline: records to batches.

pipeline.py       shards -> shuffle -> batch -> parse -> expand -> prefetch
shuffling.py      the order of an epoch's photos
expansion.py      captions to rows of (prefix, target)
padding.py        batches of one size
augmentation.py   pixels for an encoder that is trained
features.py       features for captioning and scoring
"""

from typing import TYPE_CHECKING

from records.lazy_names import lazy_names

if TYPE_CHECKING:
    from tfcap.data.pipeline import scoring_batches, training_batches

__all__ = ["scoring_batches", "training_batches"]

__getattr__ = lazy_names(
    __name__, {"scoring_batches": "pipeline", "training_batches": "pipeline"}
)
