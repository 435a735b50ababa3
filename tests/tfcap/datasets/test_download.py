"""`tfcap download`, of a small data set from a server on this machine."""

import dataclasses
import errno
import hashlib
import io
import os
import shutil
import sys
import zipfile
from pathlib import Path

import pytest
from file_server import FileServer

from records.errors import UserError
from records.storage.locks import locked
from tfcap.cli import main
from tfcap.datasets import archives, catalog, download, http
from tfcap.datasets.catalog import (
    DATA_SETS,
    FLICKR8K,
    Archive,
    DataSet,
    ExpectedCount,
    Folder,
)

PHOTOS = {f"Flicker8k_Dataset/{n}.jpg": bytes([n]) * 5000 for n in range(4)}
TEXT = {
    "Flickr8k.token.txt": b"0.jpg#0\tA dog .\n0.jpg#1\tA cat .\n\n",
    "Flickr_8k.trainImages.txt": b"0.jpg\n1.jpg\n",
    "Flickr_8k.devImages.txt": b"2.jpg\n",
    "Flickr_8k.testImages.txt": b"3.jpg",
    "readme.txt": b"read me",
}
PUBLISHED = [a for d in DATA_SETS.values() for f in d.folders for a in f.archives]
COUNTS = {"photos": 4, "captions": 2, "training photos listed": 2}


def zip_of(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in {**members, "__MACOSX/._x.jpg": b"mac"}.items():
            archive.writestr(name, content)
    return file.getvalue()


FILES = {
    "Flickr8k_text.zip": zip_of(TEXT),
    "Flickr8k_Dataset.zip": zip_of(PHOTOS),
}


def small(expected: ExpectedCount) -> ExpectedCount:
    return dataclasses.replace(expected, number=COUNTS.get(expected.what, 1))


def small_folder(folder: Folder, url: str, files: dict[str, bytes]) -> Folder:
    """Returns the folder with the lengths and digests of the files at a server."""
    return dataclasses.replace(
        folder,
        archives=tuple(small_archive(a, url, files[a.name]) for a in folder.archives),
        unpacked=1000,
        counts=tuple(small(expected) for expected in folder.counts),
    )


def small_archive(archive: Archive, url: str, content: bytes) -> Archive:
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    return archive._replace(
        url=f"{url}/{archive.name}",
        length=archive.length and len(content),
        digest=archive.digest and digest,
    )


def moved(data_set: DataSet, url: str) -> DataSet:
    """Returns a data set whose archives lie at another address."""
    folders = tuple(
        dataclasses.replace(
            folder,
            archives=tuple(a._replace(url=f"{url}/{a.name}") for a in folder.archives),
        )
        for folder in data_set.folders
    )
    return dataclasses.replace(data_set, folders=folders)


@pytest.fixture
def server():
    with FileServer(dict(FILES)) as server:
        yield server


@pytest.fixture(autouse=True)
def data_set(server, monkeypatch):
    """Flickr8k, but small and from this machine."""
    folders = tuple(small_folder(f, server.url, FILES) for f in FLICKR8K.folders)
    small_set = dataclasses.replace(FLICKR8K, folders=folders)
    monkeypatch.setitem(catalog.DATA_SETS, "flickr8k", small_set)
    monkeypatch.setattr(http, "WAITS", (0.0,))
    return small_set


@pytest.fixture
def folder(tmp_path) -> str:
    """A folder that does not exist, inside one that holds nothing else."""
    (tmp_path / "outer").mkdir()
    return str(tmp_path / "outer" / "folder")


@pytest.fixture
def output(tmp_path) -> Path:
    return tmp_path / "data"


def run(output, *flags: str) -> int:
    return main.main(["download", "flickr8k", f"--output={output}", *flags])


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


WHOLE = {**PHOTOS, **{f"Flickr8k_text/{name}": text for name, text in TEXT.items()}}


def test_it_ends_with_a_table_and_the_next_command(output, capsys):
    assert run(output) == 0
    assert tree(output) == WHOLE
    out, err = capsys.readouterr()
    assert "photos" in out and "not to be redistributed" in out
    command = out.splitlines()[-1]
    assert command.startswith("tfcap build --config flickr8k ")
    assert f"--photos {output}/Flicker8k_Dataset --captions" in command
    assert not err, "not a terminal: no progress bar"


def test_a_second_time_it_does_nothing_and_says_so(output, server, capsys):
    run(output)
    asked = len(server.asked)
    assert run(output) == 0
    assert len(server.asked) == asked
    out = capsys.readouterr().out
    assert f"flickr8k is complete in {output}; nothing to do" in out


def test_the_next_command_reads_what_was_made(output, capsys):
    from beam_jobs import build_records
    from beam_jobs.sources import options

    run(output)
    words = capsys.readouterr().out.splitlines()[-1].split()
    args, others = build_records.make_parser().parse_known_args(words[2:])
    assert not others
    assert options.open_source(args).files()["train"].startswith(str(output))
    assert len(os.listdir(args.photos)) == len(PHOTOS)


def test_only_what_is_missing_is_fetched(output, server):
    run(output)
    shutil.rmtree(output / "Flicker8k_Dataset")
    server.asked.clear()
    assert run(output) == 0
    assert tree(output) == WHOLE and len(server.asked) == 1


def test_a_broken_connection_is_taken_up_by_the_same_command(output, server, capsys):
    server.cuts, server.statuses = [10_000, 7_000], [200, 200, 403]
    assert run(output) == 1
    assert (
        "the server answers 403 Forbidden; name another place"
        in capsys.readouterr().err
    )
    server.asked.clear()
    assert run(output) == 0
    assert tree(output) == WHOLE
    assert [headers["Range"] for headers in server.asked] == ["bytes=7000-"]


def test_another_digest_leaves_nothing(output, server, capsys):
    name = "Flickr8k_Dataset.zip"
    server.files[name] = bytes(len(FILES[name]))
    assert run(output) == 1
    assert "sha256 digest is" in capsys.readouterr().err
    assert not (output / "Flicker8k_Dataset").exists()
    assert os.listdir(output / "archives") == []


def test_archives_are_kept_when_asked_for_and_used_again(output, server):
    run(output, "--keep_archives")
    assert sorted(os.listdir(output / "archives")) == sorted(FILES)
    shutil.rmtree(output / "Flickr8k_text")
    server.asked.clear()
    assert run(output) == 0
    assert not server.asked and (output / "Flickr8k_text" / "readme.txt").exists()


def test_a_kept_archive_that_was_damaged_is_refused(output, capsys):
    run(output, "--keep_archives")
    shutil.rmtree(output / "Flickr8k_text")
    (output / "archives" / "Flickr8k_text.zip").write_bytes(b"no")
    assert run(output) == 1
    assert "damaged, or another file; remove it" in capsys.readouterr().err


def test_another_place(output, server, data_set, monkeypatch):
    gone = moved(data_set, "http://127.0.0.1:9")
    monkeypatch.setitem(catalog.DATA_SETS, "flickr8k", gone)
    assert run(output, f"--from={server.url}/") == 0
    assert tree(output) == WHOLE


def test_a_directory_of_archives_is_read_and_left_alone(output, tmp_path, server):
    origin = tmp_path / "usb"
    origin.mkdir()
    for name, content in FILES.items():
        (origin / name).write_bytes(content)
    assert run(output, f"--from={origin}") == 0
    assert tree(output) == WHOLE and not server.asked
    assert tree(origin) == FILES


@pytest.mark.parametrize(
    ("origin", "message"),
    [
        ("ftp://x", "--from: ftp://x is neither a directory nor an address"),
        ("nowhere", "--from: nowhere is neither"),
        (".", "--from: no file ./Flickr8k_text.zip"),
    ],
)
def test_a_wrong_place_is_one_sentence(
    output, capsys, origin, message, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    assert run(output, f"--from={origin}") == 1
    err = capsys.readouterr().err
    assert message in err and "Traceback" not in err


def test_another_count_than_published_is_refused(
    output, server, data_set, monkeypatch, capsys
):
    text, photos = data_set.folders
    five = dataclasses.replace(photos.counts[0], number=5)
    short = dataclasses.replace(photos, counts=(five,))
    other = dataclasses.replace(data_set, folders=(text, short))
    monkeypatch.setitem(catalog.DATA_SETS, "flickr8k", other)
    assert run(output) == 1
    assert "has 4 photos, not 5" in capsys.readouterr().err
    assert not (output / "Flicker8k_Dataset").exists()
    assert (output / "Flickr8k_text").exists(), "what is whole stays"


def test_a_folder_that_lost_a_photo_is_named(output, capsys):
    run(output)
    next((output / "Flicker8k_Dataset").iterdir()).unlink()
    assert run(output) == 1
    message = "Flicker8k_Dataset is there, but has 3 photos, not 4; remove it"
    assert message in capsys.readouterr().err


def test_too_little_room_is_seen_before_anything_is_fetched(
    output, server, capsys, monkeypatch
):
    usage = shutil.disk_usage("/")._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert run(output) == 1
    assert "has 0.0 GB free, and 0.1 GB are needed" in capsys.readouterr().err
    assert not server.asked


def test_two_at_a_time_are_refused(output, capsys):
    os.makedirs(output / "archives")
    with locked(str(output / "archives"), str(output)):
        assert run(output) == 1
    assert f"is writing to {output} (process {os.getpid()}" in capsys.readouterr().err


def test_files_of_a_broken_unpacking_are_replaced(output):
    leftover = output / "archives" / "Flicker8k_Dataset"
    leftover.mkdir(parents=True)
    (leftover / "1.jpg").write_bytes(b"half")
    assert run(output) == 0
    assert tree(output) == WHOLE and not (output / "archives").exists()


def test_ctrl_c_says_what_is_kept(output, capsys, monkeypatch):
    def press(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "fetch", press)
    assert run(output) == 130
    length = len(FILES["Flickr8k_text.zip"])
    assert f"kept (0 of {length:,} bytes)" in capsys.readouterr().err


def test_a_terminal_sees_progress(output, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert run(output) == 0
    assert "unpacking Flickr8k_text.zip" in capsys.readouterr().err


def test_the_published_table_is_that_of_the_help(capsys):
    with pytest.raises(SystemExit):
        main.main(["download", "--help"])
    out = " ".join(capsys.readouterr().out.split())
    assert all(f"{name} ({d.holds})" in out for name, d in DATA_SETS.items())
    with pytest.raises(SystemExit) as ended:
        main.main(["download", "flickr9k", "--output", "x"])
    assert ended.value.code == 2


def test_a_path_with_a_space_is_quoted_in_the_next_command(tmp_path, capsys):
    assert run(tmp_path / "my data") == 0
    command = capsys.readouterr().out.splitlines()[-1]
    assert f"--photos '{tmp_path}/my data'/Flicker8k_Dataset --captions" in command


def test_a_user_error_is_raised_where_a_folder_cannot_be_made(tmp_path, data_set):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="--output: cannot make"):
        download.download(data_set, str(tmp_path / "file" / "data"))


def write_zip(path: Path, members: dict[str, bytes]) -> str:
    path.write_bytes(zip_of(members))
    return str(path)


def test_matching_members_are_unpacked_flat(tmp_path, folder):
    members = {"photos/a.jpg": b"abc", "photos/b.txt": b"no", "photos/.DS_Store": b"x"}
    path = write_zip(tmp_path / "a.zip", members)
    archives.unpack(path, r"photos/([^/.][^/]*\.jpg)", folder)
    assert tree(Path(folder)) == {"a.jpg": b"abc"}


@pytest.mark.parametrize(
    "name",
    ["../a.jpg", "photos/../../a.jpg", "/tmp/a.jpg", "Flicker8k_Dataset/../a.jpg"],
)
@pytest.mark.parametrize("archive", PUBLISHED, ids=lambda archive: archive.name)
def test_no_member_is_written_outside_the_folder(tmp_path, folder, name, archive):
    path = write_zip(tmp_path / "a.zip", {name: b"evil", name[:-3] + "txt": b"evil"})
    archives.unpack(path, archive.members, folder)
    assert tree(tmp_path) == {"a.zip": Path(path).read_bytes()}


def test_two_members_for_one_file_are_refused(tmp_path, folder):
    path = write_zip(tmp_path / "a.zip", {"a/x.jpg": b"1", "b/x.jpg": b"2"})
    with pytest.raises(FileExistsError):
        archives.unpack(path, r"[ab]/(x\.jpg)", folder)


def test_a_full_disk_while_unpacking_is_one_sentence(output, monkeypatch, capsys):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", fail)
    assert run(output) == 1
    assert "Flickr8k_text: No space left on device" in capsys.readouterr().err
    assert os.listdir(output) == ["archives"]
    monkeypatch.undo()
