"""Members of an archive to files: the wanted ones, whole, and none elsewhere."""

import os
import stat
import warnings
import zipfile
from pathlib import Path

import pytest

from records.errors import UserError
from tfcap.datasets.zip import unpack, unpacked_size

MEMBERS = r"photos/([^/.][^/]*\.jpg)"
JUNK = {"__MACOSX/photos/._a.jpg": b"x", "photos/.DS_Store": b"x", "photos/": b""}


@pytest.fixture
def archive(tmp_path):
    """Writes a.zip of the members given, or of the bytes given."""

    def write(members: dict, **settings) -> str:
        path = str(tmp_path / "a.zip")
        with zipfile.ZipFile(path, "w", **settings) as file:
            for name, content in members.items():
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of a name that is there twice
                    file.writestr(name, content)
        return path

    return write


@pytest.fixture
def folder(tmp_path) -> str:
    path = tmp_path / "out" / "inner"
    path.mkdir(parents=True)
    return str(path)


def test_wanted_members_come_out_flat_and_others_are_counted(archive, folder):
    path = archive({**JUNK, "photos/a.jpg": b"abc", "photos/b.jpg": b"defgh"})
    sizes = []
    assert unpack(path, MEMBERS, folder, sizes.append) == 2
    assert sorted(os.listdir(folder)) == ["a.jpg", "b.jpg"]
    assert Path(folder, "b.jpg").read_bytes() == b"defgh"
    assert sizes == [3, 8] and unpacked_size(path, MEMBERS) == 8


@pytest.mark.parametrize(
    "name", ["../a.jpg", "photos/../../a.jpg", "/tmp/a.jpg", "c:\\a.jpg", "..\\a.jpg"]
)
@pytest.mark.parametrize("members", [MEMBERS, r"(.*)"])
def test_a_member_that_leads_elsewhere_and_nothing_is_unpacked(
    archive, folder, tmp_path, name, members
):
    path = archive({"photos/a.jpg": b"abc", name: b"evil"})
    with pytest.raises(UserError, match="would come to stand outside its folder"):
        unpack(path, members, folder)
    assert os.listdir(folder) == []
    assert sorted(os.listdir(tmp_path)) == ["a.zip", "out"]
    assert os.listdir(tmp_path / "out") == ["inner"]


def test_a_link_is_refused(archive, folder):
    link = zipfile.ZipInfo("photos/a.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = archive({link: b"/etc/passwd"})
    with pytest.raises(UserError, match=r"'photos/a\.jpg' is a link; nothing is unpa"):
        unpack(path, MEMBERS, folder)


def test_two_members_of_one_name_are_refused(archive, folder):
    second = zipfile.ZipInfo("photos/a.jpg")
    path = archive({"photos/a.jpg": b"1", second: b"2"})
    with pytest.raises(UserError, match="is there twice"):
        unpack(path, MEMBERS, folder)


def test_an_encrypted_member_is_refused(archive, folder):
    path = archive({"photos/a.jpg": b"abc"})
    content = bytearray(Path(path).read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    Path(path).write_bytes(content)
    with pytest.raises(UserError, match="is encrypted"):
        unpack(path, MEMBERS, folder)


def test_a_member_whose_checksum_is_wrong_is_damage(archive, folder):
    path = archive({"photos/a.jpg": b"abcdefgh"})
    content = Path(path).read_bytes().replace(b"abcdefgh", b"abcdefgX")
    Path(path).write_bytes(content)
    with pytest.raises(UserError, match=r"a\.zip is a damaged zip archive: Bad CRC-32"):
        unpack(path, MEMBERS, folder)


@pytest.mark.parametrize("content", [b"", b"<html>no archive</html>"])
def test_what_is_no_archive_is_damage_too(tmp_path, folder, content):
    path = tmp_path / "a.zip"
    path.write_bytes(content)
    with pytest.raises(UserError, match="is a damaged zip archive"):
        unpack(str(path), MEMBERS, folder)
