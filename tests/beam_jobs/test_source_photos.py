"""Photos by their ids, in zips, tars and Parquet files."""

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from beam_jobs.source_photos import ContainerPhotos
from beam_jobs.sources.packed_source import FIELDS
from beam_jobs.sources.parquet import Parquet
from records.errors import UserError
from records.format.photos import read_all


def photo(colour: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 4), (colour, 0, 0)).save(file, "PNG")
    return file.getvalue()


PHOTOS = {f"{'train/' if i % 2 else ''}{i}.png": photo(i) for i in range(8)}
DIGESTS = {name: hashlib.sha256(data).digest() for name, data in PHOTOS.items()}


def write_zip(path: Path, photos: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in photos.items():
            file.writestr(name, content)


def write_tar(path: Path, photos: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, content in photos.items():
            for member, data in ((name, content), (f"{name[:-4]}.txt", b"A dog .")):
                info = tarfile.TarInfo(member)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


def write_parquet(path: Path, photos: dict[str, bytes], column="image") -> None:
    images = [{"bytes": content, "path": name} for name, content in photos.items()]
    table = pa.table({column: images, "caption": ["A dog ."] * len(images)})
    pq.write_table(table, path, row_group_size=2)


WRITE = {"zip": write_zip, "tar": write_tar, "parquet": write_parquet}
EVERY = pytest.mark.parametrize("kind", WRITE)


@pytest.fixture
def pattern(tmp_path, kind) -> str:
    """Two containers of a kind, with half of the photos each."""
    items = list(PHOTOS.items())
    for name, half in (("0", items[:4]), ("1", items[4:])):
        WRITE[kind](tmp_path / f"{name}.{kind}", dict(half))
    return f"{tmp_path}/*.{kind}"


@EVERY
def test_photos_are_read_by_their_ids(pattern, kind):
    photos = ContainerPhotos({}, pattern)
    mixed = dict(sorted(DIGESTS.items(), key=lambda item: item[1]))
    found = read_all(photos, mixed)
    assert {name: file.content for name, file in found.items()} == PHOTOS
    assert all(file.same for file in found.values())
    assert list(found) == list(PHOTOS), "in stored order"
    assert f"/0.{kind} at " in found["0.png"].path


@EVERY
def test_a_photo_is_read_without_a_pass_for_all(pattern, kind):
    photos = ContainerPhotos({}, pattern.replace("*", "{0..1}"))
    assert photos.read("train/5.png", DIGESTS["train/5.png"]).content == photo(5)
    assert photos.read("9.png", b"") is None


@EVERY
def test_one_pass_finds_all_photos(pattern, kind, monkeypatch):
    photos = ContainerPhotos({}, pattern)
    passes = []
    listed = photos.listed
    monkeypatch.setattr(photos, "listed", lambda: passes.append(1) or listed())
    read_all(photos, DIGESTS)
    read_all(photos, DIGESTS)
    assert len(passes) == 1


@EVERY
def test_a_photo_that_changed_is_known(pattern, kind):
    file = ContainerPhotos({}, pattern).read("0.png", DIGESTS["train/1.png"])
    assert file.content == PHOTOS["0.png"] and not file.same


def test_a_name_without_a_folder_is_that_of_any_folder(tmp_path):
    write_zip(tmp_path / "a.zip", {"x/a.png": photo(1), "a.png": photo(2)})
    photos = ContainerPhotos({}, str(tmp_path / "a.zip"))
    assert photos.read("a.png", b"").content == photo(2)
    assert photos.read("a.png", hashlib.sha256(photo(1)).digest()).same
    write_zip(tmp_path / "b.zip", {"x/a.png": photo(1)})
    assert ContainerPhotos({}, str(tmp_path / "b.zip")).read("a.png", b"")


def test_a_damaged_member_is_not_found(tmp_path):
    path = tmp_path / "a.zip"
    write_zip(path, {"a.png": photo(1), "b.png": b"no photo"})
    content = bytearray(path.read_bytes())
    content[40:44] = b"\xff" * 4
    path.write_bytes(content)
    photos = ContainerPhotos({}, str(path))
    assert read_all(photos, {"a.png": b"", "b.png": b""}) == {
        "a.png": None,
        "b.png": None,
    }


def test_columns_of_the_build_are_those_of_the_manifest(tmp_path):
    path = tmp_path / "a.parquet"
    write_parquet(path, {"a.png": photo(1)}, column="picture")
    other = pa.table({"x": [photo(2)], **pq.read_table(path).to_pydict()})
    pq.write_table(other, path)
    source = Parquet((), {}, (str(path),), {"photo": ["picture"]}, True)
    photos = ContainerPhotos(source.files(), str(path))
    assert photos.read("a.png", b"").content == photo(1)


@pytest.mark.parametrize("fields", ["{", "[]", '{"photo": 1}', "[" * 100_000])
def test_damaged_fields_of_a_manifest_are_one_sentence(tmp_path, fields):
    write_tar(tmp_path / "a.tar", PHOTOS)
    with pytest.raises(UserError, match=r"dataset\.json: 'fields' cannot be read"):
        ContainerPhotos({FIELDS: fields}, str(tmp_path / "a.tar"))


@pytest.mark.parametrize("name", ["gone.zip", "gone-{0..3}.tar", "*.parquet"])
def test_containers_that_are_not_there(tmp_path, name):
    with pytest.raises(UserError, match="--photos: no file"):
        ContainerPhotos({}, f"{tmp_path}/{name}")
