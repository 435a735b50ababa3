"""What every section of the configuration is made of."""

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

Fraction = Annotated[float, Field(ge=0, lt=1)]
SAVED = "saved"  # the context in which a configuration is read that tfcap has written


class Section(BaseModel):
    """Frozen and strict: `"64"` is no number, an unknown key is an error.

    What tfcap saves has every key, so one that is missing there came later or was lost.

    Attributes:
        came_later: keys that the first saved configurations lack, each with the value
            that does what was done before it came; its default may be another.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    came_later: ClassVar[dict[str, Any]] = {}

    @model_validator(mode="after")
    def _nothing_was_lost(self, info: ValidationInfo):
        if info.context != SAVED:
            return self
        missing = set(type(self).model_fields) - self.model_fields_set
        if lost := sorted(missing - set(self.came_later)):
            raise ValueError(f"the key {lost[0]!r} is missing")
        return self.model_copy(update={key: self.came_later[key] for key in missing})
