"""Configuration of the records: the sections `tokenizer` and `records`."""

from typing import Any, Literal

from pydantic import Field, model_validator

from records.text.tokenizer_config import Kind, TokenizerSettings
from tfcap.config.base import Section

TOKENIZER_DEFAULTS = {
    "word": {"min_letters": 1, "min_count": 5},
    "wordpiece": {"vocabulary_size": 4000, "min_count": 2},
    "char": {"min_count": 5},
}


class TokenizerConfig(TokenizerSettings):
    """See `TokenizerSettings`. What is left out or null is the kind's default."""

    kind: Kind = "word"
    oov: Literal["unk", "drop"] = "unk"

    @model_validator(mode="before")
    @classmethod
    def _defaults_are_those_of_the_kind(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        defaults = TOKENIZER_DEFAULTS.get(str(given.get("kind", "word")), {})
        left_out = [name for name in defaults if given.get(name) is None]
        return {**given, **{name: defaults[name] for name in left_out}}


class RecordsConfig(Section):
    """How records are written.

    Attributes:
        dtype: of the features on disk.
        photos_per_shard: about how many; a hash picks the shard.
        keep_photos: store the photo's bytes in the record as well.
        encoder_batch: photos per run of the encoder.
    """

    dtype: Literal["float32", "float16"] = "float32"
    photos_per_shard: int = Field(512, ge=1)
    keep_photos: bool = False
    encoder_batch: int = Field(32, ge=1)
