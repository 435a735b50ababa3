"""The base class of all sections of the configuration."""

from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, ValidationInfo, model_validator

from records.frozen_model import FrozenModel

Fraction = Annotated[float, Field(ge=0, lt=1)]
SAVED = "saved"  # context of reading a configuration that tfcap has written


class Section(FrozenModel):
    """A frozen, strict section: `"64"` is no number, an unknown key is an error.

    A saved configuration has every key. A key that it lacks was introduced later, or
    the file is damaged.

    Attributes:
        came_later: keys that early saved configurations lack, with the values that do
            what was done before they were introduced; defaults may differ.
    """

    model_config = ConfigDict(strict=True)
    came_later: ClassVar[dict[str, Any]] = {}

    @model_validator(mode="after")
    def _nothing_was_lost(self, info: ValidationInfo) -> "Section":
        if info.context != SAVED:
            return self
        missing = set(type(self).model_fields) - self.model_fields_set
        if lost := sorted(missing - set(self.came_later)):
            raise ValueError(f"the key {lost[0]!r} is missing")
        return self.model_copy(update={key: self.came_later[key] for key in missing})
