"""Compressed caption files: whole ones are read, damaged ones are refused."""

import bz2
import gzip
import lzma
import tracemalloc
import zlib

import pytest
import zstandard

from beam_jobs.sources.lines import LONGEST, read_lines
from records.errors import UserError

PACK = {
    "a.gz": gzip.compress,
    "a.bz2": bz2.compress,
    "a.xz": lzma.compress,
    "a.deflate": zlib.compress,
    "a.zst": zstandard.compress,
}
LINES = [b"%d.jpg#0\tA dog %d runs ." % (i, i * 7919) for i in range(5000)]
TEXT = b"\n".join(LINES)


@pytest.fixture(params=PACK)
def path(request, tmp_path):
    return tmp_path / request.param


def read(path) -> list[bytes]:
    return [line for _, line in read_lines(str(path))]


def test_a_whole_file(path):
    path.write_bytes(PACK[path.name](TEXT))
    assert read(path) == LINES


def test_a_file_of_two_parts(path):
    pack = PACK[path.name]
    path.write_bytes(pack(TEXT[:50_000]) + pack(TEXT[50_000:]))
    assert read(path) == LINES


@pytest.mark.parametrize("part", [0.1, 0.5, 0.999])
def test_a_file_that_was_cut_short_is_no_whole_one(path, part):
    packed = PACK[path.name](TEXT)
    path.write_bytes(packed[: int(len(packed) * part)])
    with pytest.raises(UserError, match=rf"^cannot read {path}: .* ended before"):
        read(path)


def test_a_damaged_file(path):
    packed = bytearray(PACK[path.name](TEXT))
    middle = len(packed) // 2
    packed[middle : middle + 40] = bytes(40)
    path.write_bytes(packed)
    with pytest.raises(UserError, match=f"^cannot read {path}: "):
        read(path)


def test_a_line_of_any_length_takes_bounded_memory(path):
    path.write_bytes(PACK[path.name](b"x" * (24 << 20) + b"\n1.jpg#0\tA dog ."))
    tracemalloc.start()
    try:
        long, short = read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (len(long), short) == (LONGEST + 1, b"1.jpg#0\tA dog .")
    assert peak < 20 << 20
