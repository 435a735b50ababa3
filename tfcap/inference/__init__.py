"""Use of an exported model. Needs TensorFlow, and neither Keras nor the models."""

from typing import TYPE_CHECKING

from records.lazy_names import lazy_names

if TYPE_CHECKING:
    from tfcap.inference.captioner import Captioner

__all__ = ["Captioner"]

__getattr__ = lazy_names(__name__, {"Captioner": "captioner"})
