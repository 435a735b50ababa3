"""Rows of a Parquet file, and the photos in one of its columns.

A column is read page by page, so that memory does not grow with a row group. The sizes
of its pages are checked before Arrow unpacks one.
"""

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from beam_jobs.containers.members import DAMAGED, MemberReader
from beam_jobs.containers.parquet_pages import check_pages
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

    def __init__(self, first: int, last: int, problem: PhotoProblem):
        super().__init__(str(problem))
        self.first, self.last, self.reason = first, last, problem.reason


class CheckedFile(pq.ParquetFile):
    """A Parquet file; its columns are read a buffer at a time.

    Args:
        file: open.
        path: of the file.
    """

    def __init__(self, file: BinaryIO, path: str):
        super().__init__(file, buffer_size=BLOCK, pre_buffer=False)
        self.path = path

    def row_groups(self) -> Iterator[tuple[int, int, int]]:
        """Yields (row group, its first row, the first row behind it)."""
        first = 0
        for group in range(self.num_row_groups):
            rows = self.metadata.row_group(group).num_rows
            yield group, first, first + rows
            first += rows

    def batches(
        self, group: int, columns: Sequence[str], rows: int
    ) -> Iterator[pa.RecordBatch]:
        """Yields the rows of a row group, `rows` at a time.

        Raises:
            PhotoProblem: they cannot be read, or a page is too large.
        """
        try:
            self.check(group, columns)
            yield from self.iter_batches(
                rows, [group], columns=list(columns), use_threads=False
            )
        except StorageUserError:
            raise
        except DAMAGE as error:
            raise PhotoProblem(DAMAGED, one_line(error)) from None

    def check(self, group: int, columns: Sequence[str]) -> None:
        metadata = self.metadata.row_group(group)
        for i in range(metadata.num_columns):
            chunk = metadata.column(i)
            if any(is_part(chunk.path_in_schema, column) for column in columns):
                check_pages(self.path, chunk)


def is_part(path: str, column: str) -> bool:
    """Returns True for a column and for the fields of its structs and lists."""
    return f"{path}.".startswith(f"{column}.")


def open_parquet(file: BinaryIO, path: str) -> CheckedFile:
    """Returns a Parquet file.

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
        return CheckedFile(file, path)
    except StorageUserError:
        raise
    except DAMAGE as error:
        raise UserError(f"--photos: {path} cannot be read: {error}") from None


def read_rows(
    file: CheckedFile, columns: Sequence[str]
) -> Iterator[tuple[int, dict[str, Any]] | DamagedRowsError]:
    """Yields (row, values by the first part of their column's name).

    Rows that cannot be read are yielded as one error.
    """
    for group, row, end in file.row_groups():
        try:
            for batch in file.batches(group, columns, TEXTS):
                for values in batch.to_pylist():
                    yield row, values
                    row += 1
        except PhotoProblem as problem:
            yield DamagedRowsError(row, end, problem)


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())


class ParquetReader(MemberReader):
    """A reader of the photos of a Parquet file, in the order of rows."""

    def __init__(self, path: str):
        super().__init__(path)
        self.parquet = open_parquet(self.file, path)
        self.groups = list(self.parquet.row_groups())
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

    A damaged page costs the photos from there to the end of the row group, and one that
    is too large those of the row group.
    """

    def __init__(
        self, file: CheckedFile, column: str, group: int, first: int, end: int
    ):
        self.column, self.next, self.end = column, first, end
        self.values = photo_values(file, column, group)
        self.problem = PhotoProblem(DAMAGED, "the row group ends before this row")

    def holds(self, member: SourceFile) -> bool:
        """Returns True for a photo that has not been passed."""
        return member.column == self.column and self.next <= member.place < self.end

    def read(self, row: int) -> bytes:
        if (value := self.value(row)) is None:
            raise self.problem
        return content(value)

    def value(self, row: int) -> pa.BinaryScalar | None:
        """Returns the value of a row; None if it cannot be read."""
        try:
            for value in self.values:
                self.next += 1
                if self.next > row:
                    return value
        except PhotoProblem as problem:
            self.problem = problem
        return None


def photo_values(
    file: CheckedFile, column: str, group: int
) -> Iterator[pa.BinaryScalar]:
    """Yields the values of a column of bytes, which may lie in a struct."""
    for batch in file.batches(group, [column], ROWS):
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
