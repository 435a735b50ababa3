"""The photos of a record set: in a folder, or in containers that others read."""

import hashlib
import logging

import pytest

from records.errors import UserError
from records.format import photos
from records.format.photos import (
    FolderPhotos,
    check_photos,
    is_container,
    named_photos,
    photos_to_show,
    read_all,
)

SOURCES = {"source": "webdataset", "photos": "shards/{0..1}.tar"}


class Reader:
    """Photos in containers; what it was opened with."""

    def __init__(self, sources, path):
        if path.startswith("gone"):
            raise UserError(f"--photos: no file {path}")
        self.sources, self.directory = sources, path


class Entry:
    name, value = "fake", "fake:Reader"

    def __init__(self, error=None):
        self.error = error

    def load(self):
        if self.error:
            raise self.error
        return Reader


@pytest.fixture
def register(monkeypatch):
    def make(*entries):
        monkeypatch.setattr(photos, "entry_points", lambda group: list(entries))

    make(Entry())
    return make


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/X.ZIP", True),
        ("{a,b}.zip", True),
        ("s3://a/*.tar", True),
        ("data/*.parquet", True),
        ("photos", False),
        ("photos.tar.gz", False),
        ("", False),
    ],
)
def test_containers_are_known_by_their_ending(monkeypatch, path, expected):
    monkeypatch.setattr(photos, "is_directory", lambda path: False)
    assert is_container(path) == expected


def test_a_folder_named_like_a_zip_is_a_folder(tmp_path, register):
    (tmp_path / "a.zip").mkdir()
    assert not is_container(str(tmp_path / "a.zip"))
    found = named_photos({"photos": str(tmp_path / "a.zip")}, None)
    assert isinstance(found, FolderPhotos)


def test_photos_of_a_folder(tmp_path, register):
    (tmp_path / "a.jpg").write_bytes(b"a")
    found = named_photos({}, str(tmp_path))
    digest = hashlib.sha256(b"a").digest()
    read = read_all(found, {"a.jpg": digest, "b.jpg": digest})
    assert read["a.jpg"] == (str(tmp_path / "a.jpg"), b"a", True)
    assert read["b.jpg"] is None


def test_containers_of_the_manifest_or_the_option(register):
    of_manifest, of_option = (named_photos(SOURCES, o) for o in (None, "b.zip"))
    assert (of_manifest.directory, of_manifest.sources) == (SOURCES["photos"], SOURCES)
    assert of_option.directory == "b.zip"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([], "no installed package reads .*tar .*pip install --editable"),
        ([Entry(ImportError("No module named 'apache_beam'"))], "'tfcap.beam.'"),
    ],
)
def test_nobody_reads_containers(register, entries, message, caplog):
    register(*entries)
    with pytest.raises(UserError, match=message):
        named_photos(SOURCES, None)
    with caplog.at_level(logging.WARNING):
        found = photos_to_show(SOURCES, None)
    assert found.read("a.jpg", b"") is None
    assert "no photos are shown: " in caplog.text


def test_containers_that_are_gone_show_no_photo_unless_they_were_asked_for(register):
    assert photos_to_show({"photos": "gone.zip"}, None).read("a.jpg", b"") is None
    with pytest.raises(UserError, match=r"no file gone\.tar"):
        photos_to_show(SOURCES, "gone.tar")


def test_an_option_is_a_directory_or_containers(tmp_path):
    check_photos(None)
    check_photos(str(tmp_path))
    check_photos("X.zip")
    with pytest.raises(UserError, match="--photos: no directory nowhere"):
        check_photos("nowhere")
