"""The file `average.json` of a work directory that averages checkpoints."""

from typing import Final, Literal

from records.format.versions import load_versioned
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
    remedy = "Make the mean again: tfcap average"
    return load_versioned(Average, path, FORMAT, remedy)
