"""Rows of a Parquet file, and the photos in one of its columns.

A column is read page by page, so that memory does not grow with a row group.
"""

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from beam_jobs.containers.members import DAMAGED, MemberReader
from beam_jobs.elements import SourceFile
from records.errors import UserError
from records.photo_header import MAX_BYTES, PhotoProblem
from records.storage.base import BLOCK, StorageUserError

FOOTER = 64 << 20  # bytes, at most
ROWS = 16  # photos decoded at once
TEXTS = 256  # rows of text decoded at once
DAMAGE = (pa.ArrowException, OSError)


class DamagedRowsError(Exception):
    """Rows of a row group that cannot be read, from the first to before the last."""

    def __init__(self, first: int, last: int, detail: str):
        super().__init__(detail)
        self.first, self.last = first, last


def open_parquet(file: BinaryIO, path: str) -> pq.ParquetFile:
    """Returns a Parquet file; its columns are read a buffer at a time.

    Raises:
        UserError: it is none, or its footer is damaged or too long.
    """
    size = file.seek(0, 2)
    file.seek(max(0, size - 8))
    end = file.read(8)
    length = int.from_bytes(end[:4], "little")
    if not end.endswith(b"PAR1") or length > min(size, FOOTER):
        raise UserError(
            f"--photos: {path} cannot be read: it does not end as a Parquet file does"
        )
    try:
        return pq.ParquetFile(file, buffer_size=BLOCK, pre_buffer=False)
    except StorageUserError:
        raise
    except DAMAGE as error:
        raise UserError(f"--photos: {path} cannot be read: {error}") from None


def row_groups(file: pq.ParquetFile) -> Iterator[tuple[int, int, int]]:
    """Yields (row group, its first row, the first row behind it)."""
    first = 0
    for group in range(file.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        yield group, first, first + rows
        first += rows


def read_rows(
    file: pq.ParquetFile, columns: Sequence[str]
) -> Iterator[tuple[int, dict[str, Any]] | DamagedRowsError]:
    """Yields (row, values by the first part of their column's name).

    Rows that cannot be read are yielded as one error.
    """
    for group, row, end in row_groups(file):
        try:
            for batch in batches(file, group, columns, TEXTS):
                for values in batch.to_pylist():
                    yield row, values
                    row += 1
        except StorageUserError:
            raise
        except DAMAGE as error:
            yield DamagedRowsError(row, end, one_line(error))


def batches(
    file: pq.ParquetFile, group: int, columns: Sequence[str], rows: int
) -> Iterator[pa.RecordBatch]:
    return file.iter_batches(rows, [group], columns=list(columns), use_threads=False)


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())


class ParquetReader(MemberReader):
    """A reader of the photos of a Parquet file, in the order of rows."""

    def __init__(self, path: str):
        super().__init__(path)
        self.parquet = open_parquet(self.file, path)
        self.groups = list(row_groups(self.parquet))
        self.rows: PhotoRows | None = None

    def read(self, member: SourceFile) -> bytes:
        if self.rows is None or not self.rows.holds(member):
            self.rows = self.rows_of(member)
        return self.rows.read(member.place)

    def rows_of(self, member: SourceFile) -> "PhotoRows":
        for group, first, end in self.groups:
            if first <= member.place < end:
                return PhotoRows(self.parquet, member.column, group, first, end)
        raise PhotoProblem(DAMAGED, f"the file has no row {member.place:,}")


class PhotoRows:
    """The photos of one row group, read forward.

    A damaged page costs the photos from there to the end of the row group.
    """

    def __init__(
        self, file: pq.ParquetFile, column: str, group: int, first: int, end: int
    ):
        self.column, self.next, self.end = column, first, end
        self.values = photo_values(file, column, group)
        self.damage = "the row group ends before this row"

    def holds(self, member: SourceFile) -> bool:
        """Returns True for a photo that has not been passed."""
        return member.column == self.column and self.next <= member.place < self.end

    def read(self, row: int) -> bytes:
        try:
            for value in self.values:
                self.next += 1
                if self.next > row:
                    return content(value)
        except StorageUserError:
            raise
        except DAMAGE as error:
            self.damage = one_line(error)
        raise PhotoProblem(DAMAGED, self.damage)


def photo_values(
    file: pq.ParquetFile, column: str, group: int
) -> Iterator[pa.BinaryScalar]:
    """Yields the values of a column of bytes, which may lie in a struct."""
    for batch in batches(file, group, [column], ROWS):
        values = batch.column(0)
        for name in column.split(".")[1:]:
            values = values.field(name)
        yield from values


def content(value: pa.BinaryScalar) -> bytes:
    """Returns the bytes of a photo.

    Raises:
        PhotoProblem: there are none, or too many.
    """
    buffer = value.as_buffer()
    if buffer is None:
        raise PhotoProblem("no_photo", "the row has no bytes of a photo")
    if buffer.size > MAX_BYTES:
        detail = f"{buffer.size:,} bytes; {MAX_BYTES:,} are the most that is read"
        raise PhotoProblem("too_many_bytes", detail)
    return buffer.to_pybytes()
