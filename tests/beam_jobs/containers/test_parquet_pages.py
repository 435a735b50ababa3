"""Sizes of pages, from their headers, whole and hostile."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_jobs.containers import parquet_pages
from beam_jobs.containers.members import Container
from beam_jobs.containers.parquet_files import (
    DamagedRowsError,
    ParquetReader,
    open_parquet,
    read_rows,
)
from beam_jobs.containers.parquet_pages import LONGEST, PageSize, page_sizes
from beam_jobs.sources.parquet import damaged_rows
from records.photo_header import PhotoProblem

PHOTOS = [bytes([i]) * 2000 for i in range(40)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "photos.parquet"


def write(path, **settings) -> pq.ColumnChunkMetaData:
    """Writes two row groups; returns the column of photos in the first."""
    table = pa.table({"image": PHOTOS, "caption": ["A dog ."] * 40})
    pq.write_table(table, path, row_group_size=20, **settings)
    return pq.ParquetFile(path).metadata.row_group(0).column(0)


def sizes(path, chunk) -> list[PageSize]:
    with open(path, "rb") as file:
        start = parquet_pages.first_page(chunk)
        return list(page_sizes(file, start, chunk.total_compressed_size))


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
@pytest.mark.parametrize("dictionary", [False, True])
def test_all_pages_are_found(path, version, compression, dictionary):
    chunk = write(
        path,
        data_page_version=version,
        compression=compression,
        use_dictionary=dictionary,
        data_page_size=4000,
        write_batch_size=1,
    )
    found = sizes(path, chunk)
    assert len(found) > 1
    unpacked = sum(size.unpacked for size in found)
    packed = sum(size.packed for size in found)
    headers = chunk.total_compressed_size - packed
    assert unpacked + headers == chunk.total_uncompressed_size
    assert unpacked >= 20 * 2000 and headers > 0


def test_a_page_that_is_too_large_costs_the_photos_of_its_row_group(path, monkeypatch):
    write(path, use_dictionary=False, data_page_size=1 << 20)
    monkeypatch.setattr(parquet_pages, "MAX_BYTES", 20 * 2000)
    container, reader = Container.at(str(path)), ParquetReader(str(path))
    problems = []
    for row in (0, 1, 19):
        with pytest.raises(
            PhotoProblem, match=r"a page .* has 40,\d{3} bytes"
        ) as caught:
            reader.read(container.member("p", 0, row, 40, "image"))
        problems.append(caught.value.reason)
    reader.close()
    assert problems == ["too_many_bytes"] * 3


def test_smaller_pages_of_the_same_photos_are_read(path, monkeypatch):
    write(path, use_dictionary=False, data_page_size=4000, write_batch_size=1)
    monkeypatch.setattr(parquet_pages, "MAX_BYTES", 10_000)
    container, reader = Container.at(str(path)), ParquetReader(str(path))
    found = [
        reader.read(container.member("p", 0, row, 40, "image")) for row in range(40)
    ]
    reader.close()
    assert found == PHOTOS


def test_a_page_of_text_that_is_too_large_is_rejected_by_name(path, monkeypatch):
    write(path, use_dictionary=False)
    monkeypatch.setattr(parquet_pages, "MAX_BYTES", 100)
    with open(path, "rb") as file:
        found = list(read_rows(open_parquet(file, str(path)), ["caption"]))
    assert [(rows.first, rows.last) for rows in found] == [(0, 20), (20, 40)]
    assert all(isinstance(rows, DamagedRowsError) for rows in found)
    reasons = {reject.reason for reject in damaged_rows(found[0], str(path))}
    assert reasons == {"too_many_bytes"}


def test_pages_of_other_columns_are_not_checked(path, monkeypatch):
    write(path, use_dictionary=False)
    monkeypatch.setattr(parquet_pages, "MAX_BYTES", 1000)
    with open(path, "rb") as file:
        found = list(read_rows(open_parquet(file, str(path)), ["caption"]))
    assert len(found) == 40


def number(value: int) -> bytes:
    content = b""
    while value > 0x7F:
        content += bytes([value & 0x7F | 0x80])
        value >>= 7
    return content + bytes([value])


def header(before: bytes = b"", unpacked: int = 9, packed: int = 3) -> bytes:
    """A page's header: its kind, `before`, then its two sizes."""
    kind = b"\x15\0" + before
    return kind + b"\x05\x04" + number(2 * unpacked) + b"\x15" + number(2 * packed)


INNER = b"\x1c\x15\x02\x18\x03abc\x11\x12\x17" + bytes(8) + b"\x19\x38\1a\1b\1c\0"


@pytest.mark.parametrize(
    "before", [b"", INNER, b"\x1a\x21\1\2", b"\x19\xf3\x14" + bytes(20)]
)
def test_other_fields_of_a_header_are_skipped(before):
    page = header(before) + b"\0" + b"abc"
    found = page_sizes(io.BytesIO(page + page), 0, 2 * len(page))
    assert list(found) == [PageSize(3, 9)] * 2


@pytest.mark.parametrize(
    "content",
    [
        b"",
        header(),
        header() + b"\x1d\0",
        b"\x15\0\0",
        b"\xff" * 100,
        header(b"\x1c" * 20) + b"\0" * 21,
        header(b"\x18" + number(LONGEST + 1)) + b"\0",
        header(b"\x19\xf1" + number(1 << 60)) + b"\0",
        header(b"\x18" + number(1 << 69)) + b"\0",
    ],
)
def test_damaged_headers_end_the_pages(content):
    assert list(page_sizes(io.BytesIO(content), 0, 1 << 40)) == []


def test_a_negative_size_ends_the_pages():
    content = b"\x15\0\x15\x12\x15\x01\0"
    assert list(page_sizes(io.BytesIO(content), 0, len(content))) == []
