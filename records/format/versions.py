"""Format versions of the files that tfcap writes and reads again.

A file holds the number of its format, from 1 on; a file without it has format 1. The
number rises when an older tfcap would misread the file. A file of a newer tfcap has an
error of its own, because it is not damaged and has another remedy.
"""

import json
from contextlib import suppress
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from records.errors import UserError
from records.frozen_model import explain
from records.storage.files import named_errors, read_file

Model = TypeVar("Model", bound=BaseModel)


def load_versioned(kind: type[Model], path: str, reads: int, remedy: str) -> Model:
    """Reads a JSON file that names its `format`.

    Args:
        kind: model of the content.
        path: of the file.
        reads: the format that the model describes.
        remedy: what to do about a damaged file.

    Raises:
        UserError: it cannot be read, a newer version wrote it, or it is damaged.
    """
    with named_errors("read", path):
        content = read_file(path)
    with suppress(ValueError, LookupError, TypeError, RecursionError):
        refuse_newer(json.loads(content)["format"], reads, path)
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        problem = explain(error)
    raise UserError(
        f"{path} is damaged or was edited, or a newer tfcap wrote it: {problem}. "
        f"{remedy}"
    )


def refuse_newer(version: Any, reads: int, path: str, otherwise: str = "") -> None:
    """Raises UserError if a file has a newer format than the one read here.

    Args:
        version: the format in the file; the caller checks that it is a number.
        reads: the format that the caller reads.
        path: of the file.
        otherwise: another remedy, as `, or ...`.
    """
    if isinstance(version, int) and version > reads:
        raise UserError(
            f"{path} was written by a newer tfcap (format {version}, this one reads "
            f"{reads}): install a newer tfcap{otherwise}"
        )
