import hashlib
import os

import pytest

from records.storage.photo_directory import PhotoFolder, named_folder


def digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


@pytest.fixture
def folder(tmp_path):
    contents = {
        "a.jpg": b"a",
        "train/b.jpg": b"b",
        "train/2014/c.jpg": b"c of train",
        "dev/c.jpg": b"c of dev",
        "dev/a.jpg": b"a of dev",
    }
    for place, content in contents.items():
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "place"),
    [("a.jpg", "a.jpg"), ("b.jpg", "train/b.jpg"), ("c.jpg", None), ("d.jpg", None)],
)
def test_a_photo_is_found_by_its_name(folder, name, place):
    expected = place and str(folder / place)
    assert PhotoFolder(str(folder)).find(name) == expected


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("a.jpg", b"a", "a.jpg"),
        ("a.jpg", b"a of dev", "dev/a.jpg"),
        ("b.jpg", b"b", "train/b.jpg"),
        ("c.jpg", b"c of train", "train/2014/c.jpg"),
        ("c.jpg", b"c of dev", "dev/c.jpg"),
    ],
)
def test_of_photos_of_one_name_the_bytes_decide(folder, name, content, place):
    found = PhotoFolder(str(folder)).read(name, digest(content))
    assert found == (str(folder / place), content, True)


def test_a_photo_that_has_changed_is_still_found(folder):
    found = PhotoFolder(str(folder)).read("b.jpg", digest(b"as it was"))
    assert found == (str(folder / "train/b.jpg"), b"b", False)


def test_a_flat_directory_is_not_searched(folder, monkeypatch):
    monkeypatch.setattr("records.storage.photo_directory.file_sizes", None)
    photos = PhotoFolder(str(folder))
    assert photos.find("a.jpg") == str(folder / "a.jpg")
    assert photos.read("a.jpg", digest(b"a")).same


def test_folders_are_listed_once(folder):
    photos = PhotoFolder(str(folder))
    assert photos.find("b.jpg")
    (folder / "train/e.jpg").write_bytes(b"e")
    assert photos.find("e.jpg") is None


@pytest.mark.parametrize("name", ["", "../a.jpg", "train/b.jpg", "/etc/hostname"])
def test_a_name_is_no_path(folder, name):
    photos = PhotoFolder(str(folder / "dev"))
    assert photos.find(name) is None
    assert photos.read(name, b"") is None


@pytest.mark.parametrize("directory", ["/nowhere", "nosuch://bucket/photos"])
def test_a_directory_that_is_not_there(directory):
    photos = PhotoFolder(directory)
    assert photos.find("a.jpg") is None
    assert photos.read("a.jpg", b"") is None


def test_a_file_that_cannot_be_read(folder):
    (folder / "train/b.jpg").unlink()
    (folder / "train/b.jpg").symlink_to(folder / "gone")
    assert PhotoFolder(str(folder)).read("b.jpg", b"") is None


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("train/b.jpg", "train/b.jpg"),
        ("dev/c.jpg", "dev/c.jpg"),
        ("train/2014/c.jpg", "train/2014/c.jpg"),
        ("train/c.jpg", None),
    ],
)
def test_a_photo_is_found_by_its_path(folder, name, place):
    expected = place and str(folder / place)
    assert PhotoFolder(str(folder)).find(name) == expected


def test_other_spellings_of_a_name(folder):
    for name in ("cafe\u0301.jpg", "train/ d.jpg "):
        (folder / name).write_bytes(b"")
    photos = PhotoFolder(str(folder))
    assert photos.find("caf\u00e9.jpg") == str(folder / "cafe\u0301.jpg")
    assert photos.find("d.jpg") == str(folder / "train/ d.jpg ")


@pytest.mark.parametrize("name", ["../secret.jpg", "train/../../secret.jpg", "", "/x"])
def test_no_id_leads_out_of_the_directory(folder, name):
    (folder.parent / "secret.jpg").write_bytes(b"secret")
    photos = PhotoFolder(str(folder))
    assert photos.find(name) is None
    assert photos.find(str(folder.parent / "secret.jpg")) is None
    assert photos.read(name, digest(b"secret")) is None


def test_photos_behind_a_link(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "e.jpg").write_bytes(b"e")
    (folder / "more").symlink_to(elsewhere)
    assert PhotoFolder(str(folder)).find("e.jpg") == str(folder / "more/e.jpg")


def test_only_files_that_end_are_read(folder):
    os.mkfifo(folder / "pipe.jpg")
    os.symlink("/dev/zero", folder / "zero.jpg")
    (folder / "folder.jpg").mkdir()
    os.symlink(folder / "a.jpg", folder / "link.jpg")
    photos = PhotoFolder(str(folder))
    for name in ("pipe.jpg", "zero.jpg", "folder.jpg"):
        assert photos.find(name) is None and photos.read(name, bytes(32)) is None
    assert photos.read("link.jpg", digest(b"a")).same


@pytest.mark.parametrize("directory", ["/dev/zero", "/dev/null", "/nowhere"])
def test_a_folder_that_is_none(directory):
    assert PhotoFolder(directory).read("a.jpg", digest(b"a")) is None


def test_a_folder_that_a_manifest_names_is_said(caplog):
    sources = {"photos": "/photos\x1b[2J"}
    assert named_folder(sources, "given").directory == "given"
    assert named_folder({}, None).directory == "" and caplog.messages == []
    assert named_folder(sources, None).directory == sources["photos"]
    (message,) = caplog.messages
    assert message.startswith("photos are read from /photos\\x1b[2J, which dataset")
