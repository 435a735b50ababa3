"""How captions become tokens, as configurations say it and manifests keep it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_serializer, model_validator

Kind = Literal["word", "wordpiece", "char"]
# Settings that one kind alone has, and needs.
OWN = {"min_letters": "word", "vocabulary_size": "wordpiece"}


class TokenizerSettings(BaseModel):
    """How captions become tokens.

    Every caption is first cut into words (`records.text.tokenizer`); the kind says what
    becomes of them (`records.text.subwords`).

    Attributes:
        kind: `word`, `wordpiece` (pieces of words) or `char` (characters).
        min_letters: of `word`: shorter words are dropped (2 in the Heaton notebook).
        vocabulary_size: of `wordpiece`: tokens at most, special ones included.
        min_count: words, pieces or characters that the training captions have fewer
            times are left out of the vocabulary; single characters of `wordpiece` stay.
        oov: what is out of the vocabulary becomes `<unk>` or is dropped: a word, a
            word that no pieces make up, or a character.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: Kind
    min_letters: int | None = Field(None, ge=1)
    vocabulary_size: int | None = Field(None, ge=1)
    min_count: int = Field(ge=1)
    oov: Literal["unk", "drop"]

    @property
    def keeps_unknown(self) -> bool:
        """Whether the vocabulary holds `<unk>`."""
        return self.oov == "unk"

    @model_validator(mode="after")
    def _settings_are_those_of_the_kind(self):
        for name, kind in OWN.items():
            given = getattr(self, name) is not None
            if given and kind != self.kind:
                raise ValueError(
                    f"{name} belongs to `kind: {kind}`; `kind: {self.kind}` has no "
                    "such setting. Leave it out, or set it to null"
                )
            if not given and kind == self.kind:
                raise ValueError(f"`kind: {kind}` needs {name}")
        return self

    @model_serializer(mode="wrap")
    def _without_those_of_other_kinds(self, handler) -> dict[str, Any]:
        return {
            name: value for name, value in handler(self).items() if value is not None
        }
