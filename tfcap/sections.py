"""What every section of the configuration is made of."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    """Frozen and strict: `"64"` is no number, an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
