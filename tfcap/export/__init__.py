"""A trained model as a SavedModel: photo bytes in, caption out.

Reading, encoder, decoder, search and vocabulary are graphs of core TensorFlow
operations, so that TF Serving, or a process that imports TensorFlow alone, can run it.

    DIR/1/saved_model.pb                  signatures: `signatures.py`
    DIR/1/assets/vocabulary.txt           a token a line
    DIR/1/assets.extra/tf_serving_warmup_requests
    DIR/1/assets.extra/tfcap.json         the export's format
    DIR/1/model_card.md                   data, scores and how they were made, settings
"""

from tfcap.export.builder import encoder_of_records, photo_captioner
from tfcap.export.saved_model import VERSION, export
from tfcap.export.signatures import PhotoCaptioner

__all__ = [
    "VERSION", "PhotoCaptioner", "encoder_of_records", "export", "photo_captioner",
]  # fmt: skip
