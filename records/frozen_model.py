"""The base of models that are read from files, and the first error of reading one."""

from pydantic import BaseModel, ConfigDict, ValidationError


class FrozenModel(BaseModel):
    """A model that cannot be changed and accepts no other keys than its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def explain(error: ValidationError) -> str:
    """Returns a description of the first error."""
    first = error.errors()[0]
    field = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        return f"unknown key {field!r}"
    problem = first["msg"].removeprefix("Value error, ")
    return ": ".join(filter(None, (field, problem)))
