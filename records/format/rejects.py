"""The file `rejects.jsonl`, with a line for each input that was rejected."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, TypeAdapter, ValidationError

from records.errors import UserError
from records.frozen_model import explain
from records.storage.files import as_utf8, open_file, reason

FILE_NAME = "rejects.jsonl"
LONGEST = 1 << 20  # bytes of a line
LONGEST_TEXT = 1 << 16  # characters of a field: JSON writes some as six bytes


class Reject(NamedTuple):
    """One input that did not make it into the output of a job.

    >>> from beam_jobs import Reject
    >>> reject = Reject("caption", "captions.tsv:7", "malformed_line", "no tab", 1)
    >>> reject.captions
    1

    Attributes:
        what: `photo` or `caption`.
        where: photo file, or caption file and line or place in it.
        reason: one word, by which rejects are counted.
        detail: the value or the error that was the reason.
        captions: number of captions lost with it.
    """

    what: Literal["photo", "caption"]
    where: str
    reason: str
    detail: str
    captions: Annotated[int, Field(ge=0)]


def format_line(reject: Reject) -> str:
    """Returns the line of a reject; its texts are cut and spelled to be readable."""
    fields = reject._asdict()
    for name in ("where", "detail"):
        fields[name] = as_utf8(fields[name][:LONGEST_TEXT])
    return json.dumps(fields, ensure_ascii=False) + "\n"


_line = TypeAdapter(dict[str, Any])
_reject = TypeAdapter(Reject)


def count_rejects(directory: str) -> tuple[Counter[str], Counter[str]]:
    """Returns the numbers of rejected photos and of rejected captions, by reason.

    Raises:
        UserError: the file is missing or damaged.
    """
    photos: Counter[str] = Counter()
    captions: Counter[str] = Counter()
    path = os.path.join(directory, FILE_NAME)
    for number, line in enumerate(read_lines(path), 1):
        reject = parse_line(line, f"{path}:{number}")
        photos[reject.reason] += reject.what == "photo"
        captions[reject.reason] += reject.captions
    return photos, captions


def parse_line(line: bytes, where: str) -> Reject:
    try:
        return _reject.validate_python(_line.validate_json(line), strict=True)
    except ValidationError as error:
        raise UserError(f"{where} is damaged: {explain(error)}") from None


def read_lines(path: str) -> Iterator[bytes]:
    """Yields the lines of a file, long ones in parts of at most `LONGEST` bytes.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        with open_file(path) as file:
            yield from iter(lambda: file.readline(LONGEST), b"")
    except FileNotFoundError:
        raise UserError(f"{path} is missing") from None
    except OSError as error:
        raise UserError(f"cannot read {path}: {reason(error)}") from None
