"""Members of tars, whole and hostile."""

import io
import tarfile
from collections.abc import Mapping

import pytest

from beam_jobs.containers import tar_files
from beam_jobs.containers.members import Container
from beam_jobs.containers.tar_files import TarDamage, TarMember, TarReader, list_tar
from records.photo_header import PhotoProblem

CONTENT = {"a.jpg": b"bytes of a" * 99, "a.txt": b"", "in/b.jpg": b"bytes of b"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "photos.tar"


def write_tar(path, content: Mapping[str, bytes] = CONTENT, **settings) -> None:
    with tarfile.open(path, "w", **settings) as tar:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def listed(path) -> list[TarMember | TarDamage]:
    container = Container.at(str(path))
    with container.open() as file:
        return list(list_tar(file, container))


def read(path) -> dict[str, bytes]:
    container, reader = Container.at(str(path)), TarReader(str(path))
    members = [
        container.member(member.name, member.size, member.start)
        for member in listed(path)
        if isinstance(member, TarMember)
    ]
    content = {member.photo_id: reader.read(member) for member in members}
    reader.close()
    return content


FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


@pytest.mark.parametrize("format", FORMATS)
def test_members_are_read_in_place(path, format):
    write_tar(path, format=format)
    assert read(path) == CONTENT


@pytest.mark.parametrize("format", FORMATS)
def test_long_names_and_others_than_ascii(path, format):
    names = ["folder/" * 20 + "é.jpg", "été.jpg", "x" * 90 + "/" + "y" * 90]
    content = {name: name.encode() for name in names}
    write_tar(path, content, format=format)
    assert read(path) == content


def test_folders_links_and_sparse_files_are_left_out(path):
    with tarfile.open(path, "w") as tar:
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE):
            member = tarfile.TarInfo(f"of type {kind}")
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
        sparse = tarfile.TarInfo("sparse.jpg")
        sparse.type, sparse.size = tarfile.GNUTYPE_SPARSE, 0
        tar.addfile(sparse)
        tar.addfile(tarfile.TarInfo("a.jpg"), io.BytesIO())
    assert [member.name for member in listed(path)] == ["a.jpg"]


def test_a_member_of_gigabytes_is_listed_and_passed_over(path):
    member = tarfile.TarInfo("huge.jpg")
    member.size = 10 << 30
    last = tarfile.TarInfo("a.jpg")
    with open(path, "wb") as file:
        file.write(member.tobuf(tarfile.GNU_FORMAT))
        file.seek(member.size, io.SEEK_CUR)
        file.write(last.tobuf() + bytes(1024))
    assert listed(path) == [
        TarMember("huge.jpg", 10 << 30, 512),
        TarMember("a.jpg", 0, (10 << 30) + 1024),
    ]


def cut(path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def test_a_tar_that_is_cut_within_a_member(path):
    write_tar(path)
    cut(path, 700)
    assert listed(path) == [
        TarDamage("a.jpg", "it is cut off: the tar ends at byte 700")
    ]


@pytest.mark.parametrize("size", [1536, 1600])
def test_a_tar_that_is_cut_between_members_or_in_a_header(path, size):
    write_tar(path)
    cut(path, size)
    member, damage = listed(path)
    assert member == TarMember("a.jpg", 990, 512)
    assert damage == TarDamage("", f"it ends at byte {size:,} without its mark")


def test_a_damaged_header_ends_what_can_be_read(path):
    write_tar(path)
    content = bytearray(path.read_bytes())
    content[1600] ^= 1
    path.write_bytes(content)
    member, damage = listed(path)
    assert member.name == "a.jpg"
    assert damage.detail.startswith("no member begins at byte 1,536: ")


def header(kind: bytes, size: int, name: str = "x") -> bytes:
    member = tarfile.TarInfo(name)
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "content",
    [
        header(tarfile.GNUTYPE_LONGNAME, 9 << 30),
        header(tarfile.XHDTYPE, 9 << 30),
        header(tarfile.XHDTYPE, 512) * 5000,
        (header(tarfile.XHDTYPE, 10) + b"10 path=x\n".ljust(512, b"\0")) * 1000,
        header(tarfile.GNUTYPE_SPARSE, 512)[:482] + b"\1" * 30 + b"\1" * (4 << 20),
        b"not a tar at all" * 100,
        b"",
    ],
)
def test_headers_without_end_are_damage(path, content):
    path.write_bytes(content)
    (damage,) = listed(path)
    assert isinstance(damage, TarDamage)


def test_little_of_a_long_header_is_read(path, monkeypatch):
    path.write_bytes(header(tarfile.GNUTYPE_LONGNAME, 9 << 30) + bytes(8 << 20))
    asked: list[int] = []
    monkeypatch.setattr(
        tar_files.Bounded,
        "seek",
        lambda self, offset: self.file.seek(offset),
    )
    container = Container.at(str(path))
    with container.open() as file:
        read = file.read

        class Watched:
            seek, tell = file.seek, file.tell

            def read(self, size):
                asked.append(size)
                return read(size)

        list(list_tar(Watched(), container))
    assert sum(asked) < 1 << 20


def test_a_member_that_the_tar_has_no_longer(path):
    write_tar(path)
    container = Container.at(str(path))
    reader = TarReader(str(path))
    with pytest.raises(PhotoProblem, match="ends after 0 of its 9 bytes"):
        reader.read(container.member("a.jpg", 9, 1 << 20))
