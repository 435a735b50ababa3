"""The encoder: a function from encoded photo bytes to features, as a frozen graph.

Decoding, resizing, preprocessing and pooling are in the graph, so that the Beam job,
the evaluation and the exported SavedModel all see a photo alike.

    photo bytes -> pixels -> views -> network -> pooled -> mean over views -> features
              tfcap.images            keras_applications.py   by name, from Keras
                                      keras_file.py           a .keras file
                                      saved_model.py          a SavedModel

A network may also be trained along with the captioner: `trainable.py`.
"""

from tfcap.encoders.encoder import Encoder, load_encoder, unreadable
from tfcap.images.decoding import decode_photo

__all__ = ["Encoder", "decode_photo", "load_encoder", "unreadable"]
