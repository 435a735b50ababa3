"""Photo files: finding them, and reading them."""

import os
import threading

import pytest
from memory_files import StoreFiles, put
from small_data import photo_bytes

from beam_jobs.io import photo_files
from beam_jobs.io.photo_files import read_photos
from records.errors import UserError


def list_photos(folder) -> list[str]:
    return sorted(file.photo_id for file in photo_files.list_photos(str(folder)))


def test_photos_are_files(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"four")
    (tmp_path / "b.jpg").mkdir()
    (file,) = photo_files.list_photos(str(tmp_path))
    assert file.photo_id == "a.jpg"
    assert (file.path, file.size) == (str(tmp_path / "a.jpg"), 4)
    assert file.modified == os.path.getmtime(tmp_path / "a.jpg")


def test_photos_in_folders_are_known_by_their_path(tmp_path):
    for folder in ("train2017", "val2017/more"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f"{folder[0]}.jpg").write_bytes(b"")
    (tmp_path / "a.jpg").write_bytes(b"")
    expected = ["a.jpg", "train2017/t.jpg", "val2017/more/v.jpg"]
    assert list_photos(tmp_path) == expected
    files = photo_files.list_photos(str(tmp_path))
    paths = {file.photo_id: file.path for file in files}
    assert paths[expected[2]] == str(tmp_path / "val2017" / "more" / "v.jpg")


def test_links_to_folders_are_followed(tmp_path):
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    (tmp_path / "elsewhere" / "deep" / "b.jpg").write_bytes(b"")
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "train").symlink_to(tmp_path / "elsewhere")
    (folder / "lost").symlink_to(tmp_path / "nowhere")
    assert list_photos(folder) == ["train/deep/b.jpg"]


def test_a_link_that_leads_back_is_named(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "again").symlink_to(tmp_path)
    with pytest.raises(UserError, match=r"train/again leads back to a directory"):
        list_photos(tmp_path)


def test_a_link_to_itself_is_named(tmp_path):
    (tmp_path / "again").symlink_to("again")
    with pytest.raises(UserError, match=r"cannot list .*/again: Too many levels of sy"):
        list_photos(tmp_path)


def test_names_have_one_spelling(tmp_path):
    for name in ("cafe\u0301.jpg", " a.jpg "):
        (tmp_path / name).write_bytes(b"")
    assert list_photos(tmp_path) == ["a.jpg", "caf\u00e9.jpg"]


def test_a_directory_named_like_a_pattern(tmp_path):
    folder = tmp_path / "photos [1]*?"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"")
    assert list_photos(folder) == ["a.jpg"]


def test_a_photo_whose_name_is_not_utf8(tmp_path):
    with open(os.fsencode(tmp_path) + b"/caf\xe9.jpg", "wb"):
        pass
    assert list_photos(tmp_path) == ["caf\\udce9.jpg"]


def photos_of_a_store(*names: str) -> list[str]:
    for name in names:
        put(f"store://bucket/{name}", photo_bytes(name))
    return [f"store://bucket/{name}" for name in names]


def test_photos_of_a_store_are_known_by_their_path(memory):
    photos_of_a_store(
        "photos/b.jpg", "photos/a.jpg", "photos/in/c.jpg", "photos2/d.jpg"
    )
    put("store://bucket/photos/", b"")  # as a console marks a folder
    expected = ["a.jpg", "b.jpg", "in/c.jpg"]
    assert list_photos("store://bucket/photos") == expected
    assert list_photos("store://bucket/photos/") == expected
    assert list_photos("store://bucket/none") == []


def test_photos_of_a_store_are_read_several_at_a_time_and_stay_in_order(
    memory, monkeypatch
):
    paths = photos_of_a_store(*(f"{letter}.jpg" for letter in "abcdef"))
    together = threading.Barrier(len(paths), timeout=30)
    opened = StoreFiles.open

    def wait(self, path, *args, **kwargs):
        together.wait()
        return opened(self, path)

    monkeypatch.setattr(StoreFiles, "open", wait)
    found = [content for content, _ in read_photos(paths)]
    assert found == [photo_bytes(os.path.basename(path)) for path in paths]


def test_what_is_wrong_with_each_photo(memory):
    (good,) = photos_of_a_store("a.jpg")
    put("store://bucket/b.jpg", b"no photo")
    found = read_photos([good, "store://bucket/b.jpg", "store://bucket/gone.jpg"])
    assert found[0][1] == "JPEG"
    assert [problem.reason for problem in found[1:]] == [
        "not_an_image",
        "unreadable_file",
    ]


@pytest.mark.parametrize("code", [403, 503, None])
def test_a_store_that_does_not_answer_is_not_the_photos_fault(
    memory, code, monkeypatch
):
    def fail(self, path, *args, **kwargs):
        error = RuntimeError("the store says no")
        error.code = code
        raise error

    monkeypatch.setattr(StoreFiles, "open", fail)
    if code == 403:
        (problem,) = read_photos(["store://bucket/a.jpg"])
        assert (problem.reason, str(problem)) == (
            "unreadable_file",
            "the store says no",
        )
    else:
        with pytest.raises(
            UserError, match=r"store://bucket/a\.jpg: the store says no"
        ):
            read_photos(["store://bucket/a.jpg"])
