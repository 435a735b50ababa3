"""Captioning models with one interface, and the function that builds them.

base.py          the interface: encode a photo once, then step the decoder
attending.py     what the models share that attend to the photo
merge.py         photo and text meet after the LSTM (Tanti et al. 2018)
attention.py     an LSTM that attends to the photo (Xu et al. 2015)
transformer.py   a causal decoder (Vaswani et al. 2017)
layers/          what they are made of
builder.py       from a configuration to a model with its weights
"""

from typing import TYPE_CHECKING

from records.lazy_names import lazy_names

if TYPE_CHECKING:
    from tfcap.models.base import CaptioningModel
    from tfcap.models.builder import build_model

__all__ = ["CaptioningModel", "build_model"]

__getattr__ = lazy_names(
    __name__, {"CaptioningModel": "base", "build_model": "builder"}
)
