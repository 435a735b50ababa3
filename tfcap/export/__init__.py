"""A trained model as a SavedModel: photo bytes in, caption out.

Photo decoding, encoder, decoder, search and vocabulary are graphs of core TensorFlow
operations. TF Serving can run them, and so can a process that imports only TensorFlow.

    DIR/1/saved_model.pb                  signatures: `signatures.py`
    DIR/1/assets/vocabulary.txt           one token per line
    DIR/1/assets.extra/tf_serving_warmup_requests
    DIR/1/assets.extra/tfcap.json         version of the export format
    DIR/1/model_card.md                   data, scores, settings
"""

from typing import TYPE_CHECKING

from records.lazy_names import lazy_names

if TYPE_CHECKING:
    from tfcap.export.builder import photo_captioner
    from tfcap.export.saved_model import export

__all__ = ["export", "photo_captioner"]

__getattr__ = lazy_names(
    __name__, {"export": "saved_model", "photo_captioner": "builder"}
)
