"""The file `average.json` of a work directory that averages checkpoints."""

from typing import Final, Literal

from pydantic import ValidationError

from records.errors import UserError
from records.format.versions import read_versioned
from records.frozen_model import FrozenModel
from records.storage.files import write_atomically

FILE_NAME = "average.json"
FORMAT: Final = 1

Kind = Literal["last", "best"]


class Average(FrozenModel):
    """The checkpoints that were averaged.

    Attributes:
        format: format of the file.
        run: work directory of the run.
        kind: `last`, the newest states; `best`, those with the lowest dev loss.
        steps: number of global batches of each checkpoint, ascending.
    """

    format: Literal[1] = FORMAT
    run: str
    kind: Kind
    steps: tuple[int, ...]

    def save(self, path: str) -> None:
        write_atomically(path, f"{self.model_dump_json()}\n".encode())

    def in_words(self) -> str:
        steps = ", ".join(map(str, self.steps))
        return f"mean of the {self.kind} checkpoints, after steps {steps}"


def load_average(path: str) -> Average:
    """Reads the file.

    Raises:
        UserError: a newer version wrote it, it has an unknown key, or it is damaged.
    """
    content = read_versioned(path, FORMAT)
    try:
        return Average.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
    field = ".".join(map(str, first["loc"])) or "the file"
    if first["type"] == "extra_forbidden":
        raise UserError(
            f"{path}: unknown key {field!r}. A newer tfcap wrote it, or somebody "
            "edited it: install a newer tfcap, or make the mean again: tfcap average"
        )
    raise UserError(
        f"{path} is damaged: {field}: {first['msg']}. Make the mean again: tfcap "
        "average"
    )
