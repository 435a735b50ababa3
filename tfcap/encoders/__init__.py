"""The encoder: a function from encoded photo bytes to features, as a frozen graph.

Decoding, resizing, preprocessing and pooling are in the graph. The Beam job, the
evaluation and the exported SavedModel therefore compute the same features.

    photo bytes -> pixels -> crops -> backbone -> pooling -> mean over crops -> features
              tfcap.images            keras_applications.py   by name, from Keras
                                      keras_file.py           a .keras file
                                      saved_model.py          a SavedModel
                                      preset.py               a preset of KerasHub

`trainable.py` trains a backbone together with the captioner.
"""

from typing import TYPE_CHECKING

from records.lazy_names import lazy_names

if TYPE_CHECKING:
    from tfcap.encoders.encoder import Encoder, load_encoder, unreadable

__all__ = ["Encoder", "load_encoder", "unreadable"]

__getattr__ = lazy_names(__name__, dict.fromkeys(__all__, "encoder"))
