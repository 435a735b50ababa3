"""The encoder: a function from encoded photo bytes to features, as a frozen graph.

Decoding, resizing, preprocessing and pooling are in the graph, so that the Beam job,
the evaluation and the exported SavedModel all see a photo alike.

    photo bytes -> pixels -> views -> network -> pooled -> mean over views -> features
                                      applications.py   by name, from Keras
                                      keras_file.py     a .keras file of one's own
                                      saved_model.py    a SavedModel of one's own
"""

from tfcap.encoders.encoder import Encoder, decode_photo, load_encoder, undecodable

__all__ = ["Encoder", "decode_photo", "load_encoder", "undecodable"]
