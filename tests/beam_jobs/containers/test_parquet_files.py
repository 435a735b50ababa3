"""Photos in the rows of Parquet files, whole and hostile."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from beam_jobs.containers.members import Container
from beam_jobs.containers.parquet_files import (
    DamagedRowsError,
    ParquetReader,
    open_parquet,
    read_rows,
)
from records.errors import UserError
from records.photo_header import PhotoProblem

PHOTOS = [bytes([i]) * (1000 + i) for i in range(50)]
IN_STRUCT = [{"bytes": photo, "path": f"{i}.jpg"} for i, photo in enumerate(PHOTOS)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "photos.parquet"


def write(path, columns, rows_per_group=20, **settings) -> None:
    table = pa.table(columns)
    pq.write_table(table, path, row_group_size=rows_per_group, **settings)


def read(path, rows, column="image") -> list[bytes | str]:
    container, reader = Container.at(str(path)), ParquetReader(str(path))
    found: list[bytes | str] = []
    for row in rows:
        member = container.member("p", 0, row, 50, column)
        try:
            found.append(reader.read(member))
        except PhotoProblem as problem:
            found.append(problem.reason)
    reader.close()
    return found


def rows_of(path, columns) -> list:
    with open(path, "rb") as file:
        return list(read_rows(open_parquet(file, str(path)), columns))


@pytest.mark.parametrize(
    ("column", "values"), [("image", PHOTOS), ("image.bytes", IN_STRUCT)]
)
def test_photos_are_read_by_row(path, column, values):
    write(path, {"image": values, "n": range(50)})
    assert read(path, range(50), column) == PHOTOS
    some = [3, 19, 20, 21, 47]
    assert read(path, some, column) == [PHOTOS[i] for i in some]


def test_a_row_that_was_passed_is_read_again(path):
    write(path, {"image": PHOTOS})
    assert read(path, [30, 5, 5]) == [PHOTOS[30], PHOTOS[5], PHOTOS[5]]


def test_rows_without_a_photo(path):
    empty = [None, {"bytes": None, "path": "a"}, {"bytes": b"a", "path": None}]
    write(path, {"image": empty})
    assert read(path, range(4), "image.bytes") == [
        "no_photo",
        "no_photo",
        b"a",
        "damaged_member",
    ]


def test_other_columns_are_read_without_the_photos(path):
    write(path, {"image": IN_STRUCT, "caption": [f"A {i} ." for i in range(50)]})
    found = rows_of(path, ["caption", "image.path"])
    assert found[21] == (21, {"caption": "A 21 .", "image": {"path": "21.jpg"}})
    assert [row for row, _ in found] == list(range(50))


def damage_first_page(path, group: int, column: int) -> None:
    chunk = pq.ParquetFile(path).metadata.row_group(group).column(column)
    content = bytearray(path.read_bytes())
    start = chunk.data_page_offset
    content[start : start + 40] = b"\xff" * 40
    path.write_bytes(content)


def test_a_damaged_page_costs_the_photos_of_its_row_group(path):
    write(path, {"image": PHOTOS}, use_dictionary=False)
    damage_first_page(path, 1, 0)
    found = read(path, range(50))
    assert found[:20] == PHOTOS[:20]
    assert found[20:40] == ["damaged_member"] * 20
    assert found[40:] == PHOTOS[40:]


def test_a_damaged_page_of_text_costs_its_rows(path):
    captions = [f"A {i} ." for i in range(50)]
    write(path, {"caption": captions, "image": PHOTOS}, use_dictionary=False)
    damage_first_page(path, 1, 0)
    found = rows_of(path, ["caption"])
    (damage,) = (item for item in found if isinstance(item, DamagedRowsError))
    assert (damage.first, damage.last) == (20, 40)
    assert [item[0] for item in found if item is not damage] == [
        *range(20),
        *range(40, 50),
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PAR1",
        b"no parquet" * 10,
        b"PAR1" + (1 << 30).to_bytes(4, "little") + b"PAR1",
        b"PAR1" + bytes(100) + (50).to_bytes(4, "little") + b"PAR1",
    ],
)
def test_a_file_that_is_none(path, content):
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"--photos: .*photos\.parquet cannot be read"):
        rows_of(path, ["caption"])


@pytest.mark.slow
def test_memory_does_not_grow_with_a_row_group(path):
    """400 MB of photos in one row group, which is read a buffer at a time."""
    noise = np.random.default_rng(0).bytes(400_000)
    schema = pa.schema([("image", pa.binary())])
    with pq.ParquetWriter(path, schema, compression="none") as writer:
        table = pa.table({"image": [noise] * 1000}, schema)
        writer.write_table(table, row_group_size=1000)
    del table
    assert pq.ParquetFile(path).num_row_groups == 1
    before = pa.total_allocated_bytes()
    container, reader = Container.at(str(path)), ParquetReader(str(path))
    most = 0
    for row in range(1000):
        reader.read(container.member("p", 0, row, 1000, "image"))
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < 100 << 20
