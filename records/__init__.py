"""The on-disk contract between the Beam jobs and the captioner.

Owns the record format, the vocabulary, the caption tokenizer, shard names, the manifest
and their verification. Imports TensorFlow, tensorflow-text and NumPy, but neither Beam
nor Keras. Public names are imported when they are first used:

    RecordSet     an open record set: its manifest, vocabulary and shards
    Manifest      dataset.json
    PhotoRecord   one photo with its features and captions
    FeatureSpec   shape and dtype of features
    Vocabulary, Tokenizer
    ShardWriter   writes one shard
    verify        reads every byte of a record set and reports what does not fit
"""

from records.lazy_names import lazy_names

TYPE_CHECKING = False  # without typing, before whose import Ctrl-C has no handler
if TYPE_CHECKING:
    from records.format.manifest import Manifest
    from records.format.record_set import RecordSet
    from records.format.schema import FeatureSpec, PhotoRecord
    from records.format.shard_writer import ShardWriter
    from records.text.tokenizer import Tokenizer
    from records.text.vocabulary import Vocabulary
    from records.verification.verifier import verify

__all__ = [
    "FeatureSpec",
    "Manifest",
    "PhotoRecord",
    "RecordSet",
    "ShardWriter",
    "Tokenizer",
    "Vocabulary",
    "verify",
]

__getattr__ = lazy_names(
    __name__,
    {
        "FeatureSpec": "format.schema",
        "Manifest": "format.manifest",
        "PhotoRecord": "format.schema",
        "RecordSet": "format.record_set",
        "ShardWriter": "format.shard_writer",
        "Tokenizer": "text.tokenizer",
        "Vocabulary": "text.vocabulary",
        "verify": "verification.verifier",
    },
)
