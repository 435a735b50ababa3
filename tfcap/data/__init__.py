"""The input pipeline, which turns records into batches.

pipeline.py       shards -> shuffle -> batch -> parse -> expand -> prefetch
shuffling.py      the order of an epoch's photos
shard_files.py    copies of remote shards, ahead of the reader
expansion.py      captions to rows of (prefix, target)
padding.py        batches of few sizes
augmentation.py   pixels for an encoder that is trained
features.py       features for captioning and scoring
keras_fit.py      batches for keras.Model.fit
"""

from typing import TYPE_CHECKING

from records.lazy_names import lazy_names

if TYPE_CHECKING:
    from tfcap.data.keras_fit import fit_pairs, token_loss
    from tfcap.data.pipeline import scoring_batches, training_batches

__all__ = ["fit_pairs", "scoring_batches", "token_loss", "training_batches"]

__getattr__ = lazy_names(
    __name__,
    {
        "fit_pairs": "keras_fit",
        "scoring_batches": "pipeline",
        "token_loss": "keras_fit",
        "training_batches": "pipeline",
    },
)
