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
    """The tokenizer. A key that is left out, or null, gets the default of its kind."""

    kind: Kind = "word"
    oov: Literal["unk", "drop"] = "unk"

    @model_validator(mode="before")
    @classmethod
    def _defaults_are_those_of_the_kind(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        defaults = TOKENIZER_DEFAULTS.get(str(content.get("kind", "word")), {})
        left_out = [name for name in defaults if content.get(name) is None]
        return {**content, **{name: defaults[name] for name in left_out}}


class RecordsConfig(Section):
    """Settings of the record set.

    Attributes:
        dtype: dtype of the features on disk.
        photos_per_shard: expected number of photos in a shard; a hash picks the shard.
        keep_photos: store the photo's bytes in the record as well.
        encoder_batch: photos that the encoder takes at a time.
    """

    dtype: Literal["float32", "float16"] = "float32"
    photos_per_shard: int = Field(512, ge=1)
    keep_photos: bool = False
    encoder_batch: int = Field(32, ge=1)
