"""Members of zips, whole and hostile."""

import io
import os
import struct
import zipfile
import zlib

import pytest

from beam_jobs.containers.members import Container
from beam_jobs.containers.zip_files import ZipReader, check_zip, list_zip
from beam_jobs.elements import SourceFile
from records.errors import UserError
from records.photo_header import PhotoProblem

MARK = b"PK\7\x08"  # before a CRC behind the content
METHODS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]
CONTENT = {"b.jpg": b"bytes of b" * 50, "train/a.jpg": b"bytes of a", "c": b""}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "photos.zip"


def write_zip(path, content=CONTENT, method=zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as file:
        for name, data in content.items():
            file.writestr(name, data)


def members(path) -> list[SourceFile]:
    return list(list_zip(Container.at(str(path))))


def read(path) -> dict[str, bytes | str]:
    """Content of each member, or the reason why there is none."""
    found: dict[str, bytes | str] = {}
    reader = ZipReader(str(path))
    for member in sorted(members(path), key=lambda member: member.place):
        try:
            found[member.photo_id] = reader.read(member)
        except PhotoProblem as problem:
            found[member.photo_id] = problem.reason
    reader.close()
    return found


@pytest.mark.parametrize("method", METHODS)
def test_members_are_read_in_place(path, method):
    write_zip(path, method=method)
    assert read(path) == CONTENT
    first = members(path)[0]
    assert (first.size, first.place, first.path) == (500, 0, str(path))
    assert first.extent == os.path.getsize(path)
    assert first.modified == os.path.getmtime(path)


def test_folders_are_no_photos(path):
    write_zip(path, {"train/": b"", "train/a.jpg": b"a"})
    assert list(read(path)) == ["train/a.jpg"]


def test_a_zip_with_bytes_before_it_and_a_comment(path):
    write_zip(path)
    with zipfile.ZipFile(path, "a") as file:
        file.comment = b"a comment " * 1000
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    assert read(path) == CONTENT


class Pipe(io.RawIOBase):
    """A file without a place: the CRC of a member follows its content."""

    content = b""

    def writable(self):
        return True

    def write(self, data):
        self.content += bytes(data)
        return len(data)


@pytest.fixture(params=METHODS, ids=["stored", "deflated"])
def piped(request) -> bytes:
    pipe = Pipe()
    write_zip(pipe, method=request.param)
    return pipe.content


def test_a_zip_that_was_written_to_a_pipe(path, piped):
    path.write_bytes(piped)
    assert read(path) == CONTENT


def test_a_crc_behind_the_content_is_checked(path, piped):
    crc = zlib.crc32(CONTENT["b.jpg"]).to_bytes(4, "little")
    path.write_bytes(piped.replace(MARK + crc, MARK + b"\1\2\3\4", 1))
    assert read(path) == {**CONTENT, "b.jpg": "damaged_member"}


def test_a_changed_byte_before_a_crc_is_noticed(path):
    pipe = Pipe()
    write_zip(pipe, method=zipfile.ZIP_STORED)
    path.write_bytes(pipe.content.replace(b"bytes of b", b"bytes of c", 1))
    assert read(path) == {**CONTENT, "b.jpg": "damaged_member"}


def test_a_crc_behind_the_content_may_lack_its_mark(path, piped):
    """The last member's is left out, so that no place of another changes."""
    cut, directory = piped.rindex(MARK), piped.index(b"PK\1\2")
    start = struct.pack("<IH", directory - len(MARK), 0)
    path.write_bytes(piped[:cut] + piped[cut + len(MARK) : -len(start)] + start)
    assert read(path) == CONTENT


def test_a_zip_that_ends_before_a_crc(path, piped):
    path.write_bytes(piped[: piped.rindex(MARK) + len(MARK)])
    last = Container.at(str(path)).member("c", 0, piped.rindex(b"PK\3\4"))
    with pytest.raises(PhotoProblem, match="the container ends") as caught:
        ZipReader(str(path)).read(last)
    assert caught.value.reason == "damaged_member"


def test_a_zip_in_the_form_for_large_ones(path, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 5)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    write_zip(path)
    assert b"PK\6\6" in path.read_bytes()
    assert read(path) == CONTENT


@pytest.mark.parametrize(
    ("name", "flags", "expected"),
    [
        ("café.jpg".encode(), 0x800, "café.jpg"),
        ("café.jpg".encode(), 0, "café.jpg"),
        (b"caf\x82.jpg", 0, "café.jpg"),
        (b"caf\xe9.jpg", 0x800, "caf\\udce9.jpg"),
    ],
)
def test_names_in_any_encoding(path, name, flags, expected):
    placeholder = "x" * len(name)
    write_zip(path, {placeholder: b"a"})
    content = bytearray(path.read_bytes().replace(placeholder.encode(), name))
    entry = content.index(b"PK\1\2")
    content[entry + 8 : entry + 10] = struct.pack("<H", flags)
    path.write_bytes(content)
    assert read(path) == {expected: b"a"}


def changed(path, offset: int, value: bytes, within=b"PK\3\4") -> None:
    """Changes the header of the first member, or another part of the file."""
    content = bytearray(path.read_bytes())
    at = content.index(within) + offset
    content[at : at + len(value)] = value
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [
        (0, b"PK\0\0", "damaged_member"),
        (6, b"\1", "encrypted_member"),
        (8, b"\x0c", "unsupported_compression"),
        (14, b"\0\0\0\0", "damaged_member"),
        (35, b"\xff" * 4, "damaged_member"),
    ],
)
def test_a_broken_member_costs_that_member(path, offset, value, reason):
    write_zip(path)
    changed(path, offset, value)
    assert read(path) == {**CONTENT, "b.jpg": reason}


@pytest.mark.parametrize("size", [499, 501, 5_000_000])
def test_a_directory_with_another_size(path, size):
    write_zip(path)
    changed(path, 24, struct.pack("<I", size), b"PK\1\2")
    assert read(path) == {**CONTENT, "b.jpg": "damaged_member"}


def test_a_bomb_is_refused_after_a_part_of_it(path):
    write_zip(path, {"a.jpg": bytes(1 << 28)})
    (member,) = members(path)
    assert member.size == 1 << 28 and os.path.getsize(path) < 1 << 20
    reader = ZipReader(str(path))
    with pytest.raises(
        PhotoProblem, match=r"bytes inflate to [0-9],[0-9]{3},[0-9]{3}$"
    ):
        reader.read(member)


def test_members_that_share_their_bytes_cost_no_more_than_they_hold(path):
    """Two entries of one place: each is read on its own, and none grows."""
    write_zip(path, {"a.jpg": b"a", "b.jpg": b"b"})
    content = path.read_bytes()
    second = content.index(b"PK\1\2", content.index(b"PK\1\2") + 1)
    changed = bytearray(content)
    changed[second + 42 : second + 46] = bytes(4)
    path.write_bytes(changed)
    assert read(path) == {"a.jpg": b"a", "b.jpg": b"a"}


def test_a_member_outside_the_file(path):
    write_zip(path)
    changed(path, 42, struct.pack("<I", 1 << 30), b"PK\1\2")
    assert read(path) == {**CONTENT, "b.jpg": "damaged_member"}


def end_with(size: int, start: int) -> bytes:
    return struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, size, start, 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "does not end as a zip file does"),
        (b"no zip" * 100, "does not end as a zip file does"),
        (b"PK\5\6", "does not end as a zip file does"),
        (end_with(1 << 30, 0), "directory is larger than the file"),
        (bytes(100) + end_with(80, 0), "directory of members is cut short"),
        (zlib.compress(b"")[:5] + end_with(5, 0), "directory of members is cut short"),
    ],
)
def test_a_file_that_is_no_zip(path, content, message):
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"--photos: .*photos\.zip .*{message}"):
        members(path)


def test_a_zip_that_was_cut_short_is_refused_at_once(path):
    write_zip(path)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(UserError, match="does not end as a zip file does"):
        check_zip(Container.at(str(path)))


def test_a_file_that_is_not_there(path):
    with pytest.raises(UserError, match=r"--photos: cannot read .*: No such file"):
        Container.at(str(path))
