"""Photos named by files, folders and patterns."""

import fsspec
import pytest

from records.errors import UserError
from records.storage import registry
from tfcap.images.paths import photo_paths


@pytest.fixture
def folder(tmp_path):
    for name in ("b.JPG", "a.png", "notes.txt", "deep/c.jpeg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(paths, folder):
    return [path.removeprefix(f"{folder}/") for path in paths]


def test_a_folder_and_those_below(folder):
    found = photo_paths([str(folder)])
    assert names(found, folder) == ["a.png", "b.JPG", "deep/c.jpeg"]


def test_a_pattern(folder):
    found = photo_paths([f"{folder}/**/*.jp*g"])
    assert names(found, folder) == ["deep/c.jpeg"]
    with pytest.raises(UserError, match=r"no file matches .*\*\.gif"):
        photo_paths([f"{folder}/*.gif"])


def test_a_file_is_taken_as_it_is_and_once(folder):
    given = [f"{folder}/notes.txt", f"{folder}/none.jpg", f"{folder}/notes.txt"]
    assert photo_paths(given) == given[:2]


def test_a_file_whose_name_looks_like_a_pattern(folder):
    odd = folder / "a[1].png"
    odd.touch()
    assert photo_paths([str(odd)]) == [str(odd)]


def test_a_folder_without_photos(tmp_path):
    with pytest.raises(UserError, match=r"holds no photo \(\.jpg"):
        photo_paths([str(tmp_path)])


def test_remote_files_and_folders(monkeypatch):
    monkeypatch.setattr(registry, "_remote", None)
    files = fsspec.filesystem("memory")
    for name in ("b.JPG", "deep/a.png", "notes.txt"):
        files.pipe_file(f"/bucket/photos/{name}", b"")
    try:
        found = photo_paths(["memory://bucket/photos/", "https://a.org/b.jpg?size=[1]"])
        assert found == [
            "memory://bucket/photos/b.JPG",
            "memory://bucket/photos/deep/a.png",
            "https://a.org/b.jpg?size=[1]",
        ]
        files.rm("/bucket/photos/deep", recursive=True)
        files.rm("/bucket/photos/b.JPG")
        with pytest.raises(UserError, match=r"memory://bucket/photos holds no photo"):
            photo_paths(["memory://bucket/photos"])
    finally:
        files.rm("/", recursive=True)
