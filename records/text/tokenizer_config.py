"""Settings of the tokenizer, in configurations and manifests."""

from typing import Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from records.frozen_model import FrozenModel

Kind = Literal["word", "wordpiece", "char"]
# Settings that one kind requires and the others refuse.
KIND_SETTINGS = {"min_letters": "word", "vocabulary_size": "wordpiece"}


class TokenizerSettings(FrozenModel):
    """Settings by which captions become tokens.

    A caption is first split into words (`records.text.tokenizer`). The kind says how
    words become tokens (`records.text.subwords`).

    Attributes:
        kind: `word`, `wordpiece` (pieces of words) or `char` (characters).
        min_letters: for `word`; shorter words are dropped (2 in the Heaton notebook).
        vocabulary_size: for `wordpiece`; largest number of tokens, special ones
            included.
        min_count: tokens with fewer occurrences in the training captions are left out
            of the vocabulary; single characters of `wordpiece` stay.
        oov: `unk` replaces tokens out of the vocabulary by `<unk>`, `drop` drops them.
    """

    model_config = ConfigDict(strict=True)

    kind: Kind
    min_letters: int | None = Field(None, ge=1)
    vocabulary_size: int | None = Field(None, ge=1)
    min_count: int = Field(ge=1)
    oov: Literal["unk", "drop"]

    @property
    def keeps_unknown(self) -> bool:
        """True if the vocabulary holds `<unk>`."""
        return self.oov == "unk"

    @model_validator(mode="after")
    def _check_settings_fit_kind(self) -> "TokenizerSettings":
        for name, kind in KIND_SETTINGS.items():
            is_set = getattr(self, name) is not None
            if is_set and kind != self.kind:
                raise ValueError(
                    f"{name} belongs to `kind: {kind}`; `kind: {self.kind}` has no "
                    "such setting. Leave it out, or set it to null"
                )
            if not is_set and kind == self.kind:
                raise ValueError(f"`kind: {kind}` needs {name}")
        return self

    @model_serializer(mode="wrap")
    def _leave_out_unset(
        self, handler: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        return {
            name: value for name, value in handler(self).items() if value is not None
        }
