"""Photo files: finding them."""

import os

from beam_jobs.photo_files import ListPhotos


def list_photos(folder, nested=False) -> list[str]:
    found = ListPhotos(nested).process(str(folder))
    return sorted(photo_id for photo_id, _ in found)


def test_photos_are_files_of_the_directory_itself(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"four")
    (tmp_path / "b.jpg").mkdir()
    (tmp_path / "b.jpg" / "c.jpg").write_bytes(b"")
    ((photo_id, file),) = ListPhotos().process(str(tmp_path))
    assert (photo_id, file.photo_id) == ("a.jpg", "a.jpg")
    assert (file.path, file.size) == (str(tmp_path / "a.jpg"), 4)
    assert file.modified == os.path.getmtime(tmp_path / "a.jpg")


def test_photos_in_folders_are_known_by_their_name_too(tmp_path):
    for folder in ("train2017", "val2017/more"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f"{folder[0]}.jpg").write_bytes(b"")
    (tmp_path / "a.jpg").write_bytes(b"")
    assert list_photos(tmp_path, nested=True) == ["a.jpg", "t.jpg", "v.jpg"]
    paths = dict(ListPhotos(nested=True).process(str(tmp_path)))
    assert paths["v.jpg"].path == str(tmp_path / "val2017" / "more" / "v.jpg")


def test_a_directory_named_like_a_pattern(tmp_path):
    folder = tmp_path / "photos [1]*?"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"")
    assert list_photos(folder) == ["a.jpg"]


def test_a_photo_whose_name_is_not_utf8(tmp_path):
    with open(os.fsencode(tmp_path) + b"/caf\xe9.jpg", "wb"):
        pass
    assert list_photos(tmp_path) == ["caf\\udce9.jpg"]
