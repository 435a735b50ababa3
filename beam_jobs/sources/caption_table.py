"""A caption file that is a table: its first line names the columns, in any order.

    image,caption                              (Kaggle's Flickr8k)
    1000268201_693b08cb0e.jpg,"A child , in a dress ."

    image_name| comment_number| comment        (Kaggle's Flickr30k)
    1000092795.jpg| 0| Two young guys with shaggy hair .

Between commas, a caption with a comma is quoted. Between bars, quotes are ordinary
characters, and the last column may contain a bar. Without a column of numbers, a record
lists captions in the order of their lines. A column without a name is left out, because
pandas writes row numbers into one.
"""

import csv
import re
from dataclasses import dataclass

from beam_jobs.elements import Caption
from beam_jobs.sources.item_error import ItemError
from beam_jobs.sources.lines import NUMBER, decode_line
from records.format.rejects import Reject
from records.storage.photo_ids import photo_id

SEPARATORS = "|,"
PHOTO, NUMBERS, TEXT, UNNAMED = "photo", "number", "text", ""
COLUMNS = {
    **dict.fromkeys(("image", "image_name", "photo", "file_name", "filename"), PHOTO),
    **dict.fromkeys(("comment_number", "caption_number"), NUMBERS),
    **dict.fromkeys(("caption", "comment", "text"), TEXT),
    UNNAMED: UNNAMED,
}


@dataclass(frozen=True)
class CaptionTable:
    """The form of the lines of a table.

    Attributes:
        header: its first line.
        separator: the character between columns.
        columns: the kind of each column, a value of `COLUMNS`.
    """

    header: str
    separator: str
    columns: tuple[str, ...]

    @classmethod
    def from_header(cls, line: bytes) -> "CaptionTable | None":
        """Returns the form that a first line names; None if it is no header."""
        tables = (cls.with_separator(line, separator) for separator in SEPARATORS)
        return next(filter(None, tables), None)

    @classmethod
    def with_separator(cls, line: bytes, separator: str) -> "CaptionTable | None":
        try:
            header = decode_line(line).strip()
            names = split_row(header, separator)
            columns = tuple(COLUMNS[name.strip().lower()] for name in names)
        except (ItemError, KeyError):
            return None
        counts = [columns.count(kind) for kind in (PHOTO, TEXT, NUMBERS)]
        fits = counts in ([1, 1, 0], [1, 1, 1])
        return cls(header, separator, columns) if fits else None

    def parse(self, line: bytes, where: str) -> Caption | Reject:
        """Reads one line; `where` ends in its number.

        >>> table = CaptionTable.from_header(b"image,caption")
        >>> table.parse(b'1.jpg,"A dog , it runs ."', "captions.txt:2").text
        'A dog , it runs .'
        """
        try:
            row = self.read_row(line)
        except ItemError as bad:
            return bad.reject("caption", where, 1)
        number = row.get(NUMBERS, where.rpartition(":")[2])
        return Caption(photo_id(row[PHOTO]), int(number), where, row[TEXT])

    def read_row(self, line: bytes) -> dict[str, str]:
        """Returns the fields of a line by the kind of their column."""
        text = decode_line(line)
        fields = split_row(text, self.separator, len(self.columns))
        row = dict(zip(self.columns, map(str.strip, fields)))
        whole = len(fields) == len(self.columns) and row[PHOTO] and row[TEXT]
        if not whole or not re.fullmatch(NUMBER, row.get(NUMBERS, "0")):
            detail = f"expected {self.header}; received {text[:80]!r}"
            raise ItemError("malformed_line", detail)
        return row


def split_row(text: str, separator: str, most: int = 0) -> list[str]:
    """Returns the fields of a line.

    Args:
        text: of the line.
        separator: the character between fields.
        most: number of fields between bars; 0 for any number.

    Raises:
        ItemError: a quote does not close.
    """
    if separator == "|":
        return text.split(separator, most - 1)
    try:
        return next(csv.reader([text], delimiter=separator, strict=True), [])
    except csv.Error as error:
        raise ItemError("malformed_line", f"{error}: {text[:80]!r}") from None
