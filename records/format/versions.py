"""Format versions of the files that tfcap writes and reads again.

A file holds the number of its format, from 1 on; a file without it has format 1. The
number rises when an older tfcap would misread the file. A file of a newer tfcap has an
error of its own, because it is not damaged and has another remedy.
"""

import json
from contextlib import suppress
from typing import Any

from records.errors import UserError
from records.storage.files import named_errors, read_file


def read_versioned(path: str, reads: int) -> bytes:
    """Reads a JSON file that names its `format`.

    The caller refuses a file without a format, or that is no JSON.

    Raises:
        UserError: it cannot be read, or a newer version wrote it.
    """
    with named_errors("read", path):
        content = read_file(path)
    with suppress(ValueError, LookupError, TypeError, RecursionError):
        refuse_newer(json.loads(content)["format"], reads, path)
    return content


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
