"""Captions of a whole split, their scores and their comparison with other results."""

from typing import TYPE_CHECKING

from records.lazy_names import lazy_names

if TYPE_CHECKING:
    from tfcap.evaluation.evaluator import evaluate

__all__ = ["evaluate"]

__getattr__ = lazy_names(__name__, {"evaluate": "evaluator"})
