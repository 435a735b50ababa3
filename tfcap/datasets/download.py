"""Downloads published data sets: fetches, checks and unpacks them, and counts.

    OUTPUT/Flicker8k_Dataset/   each folder has its name only once it is whole
    OUTPUT/Flickr8k_text/
    OUTPUT/archives/            parts and archives, removed at the end

The same command resumes where it stopped, and does nothing once all is there.
"""

import contextlib
import logging
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from records.errors import UserError
from records.storage.files import make_output, named_errors
from records.storage.locks import locked
from tfcap.datasets.catalog import Archive, DataSet, ExpectedCount
from tfcap.datasets.http import digest_problem, fetch, size_of

LOGGER = logging.getLogger(__name__)
ARCHIVES = "archives"
SPARE = 64 << 20  # bytes of disk that are left free


def download(
    data_set: DataSet,
    output: str,
    origin: str | None = None,
    keep_archives: bool = False,
) -> bool:
    """Fetches what is missing, and checks all of it.

    Args:
        data_set: the data set.
        output: its directory, which is made if it does not exist.
        origin: URL or directory of the archives; None for the published one.
        keep_archives: leave the archives in `archives/`.

    Returns:
        Whether anything was missing.

    Raises:
        UserError: an archive cannot be fetched, is not the expected one or has no room
            on disk; or a folder is there but not whole. Whole folders stay.
    """
    origin, archives = check_origin(origin or data_set.origin), f"{output}/{ARCHIVES}"
    missing = [a for a in data_set.archives if not is_whole(a, output)]
    if not missing:
        return False
    make_output(archives, "--output")
    with locked(archives, output):
        check_room(missing, output, origin)
        for archive in missing:
            install(archive, output, origin)
            if not keep_archives:
                for path in Path(archives).glob(f"{archive.name}*"):
                    path.unlink()
    if not os.listdir(archives):
        os.rmdir(archives)
    return True


def check_origin(origin: str) -> str:
    if origin.startswith(("http://", "https://")) or os.path.isdir(origin):
        return origin.rstrip("/")
    raise UserError(
        f"--from: {origin} is neither a directory nor an address that begins with "
        "https:// or http://"
    )


def is_whole(archive: Archive, output: str) -> bool:
    """Returns whether the archive is unpacked already.

    Raises:
        UserError: its folder is there, but something is missing in it.
    """
    folder = os.path.join(output, archive.folder)
    if not os.path.exists(folder):
        return False
    if problem := count_problem(archive, folder):
        raise UserError(
            f"{folder} is there, but has {problem}; remove it, and run the same "
            "command again"
        )
    return True


def count_problem(archive: Archive, folder: str) -> str | None:
    """Describes the first wrong count in a folder; None if all are right."""
    for expected in archive.counts:
        number = count(expected, folder)
        if number != expected.number:
            return f"{number:,} {expected.what}, not {expected.number:,}"
    return None


def count(expected: ExpectedCount, folder: str) -> int:
    files = list(Path(folder).glob(expected.files))
    if not expected.lines:
        return len(files)
    lines = (line for path in files for line in path.read_bytes().splitlines())
    return sum(bool(line.strip()) for line in lines)


def check_room(missing: list[Archive], output: str, origin: str) -> None:
    """Raises UserError if the disk has too little room for what is missing."""
    needed = SPARE + sum(archive.unpacked for archive in missing)
    if not os.path.isdir(origin):
        fetched = sum(map(os.path.getsize, Path(output, ARCHIVES).glob("*.zip*")))
        needed += max(0, sum(archive.length for archive in missing) - fetched)
    free = shutil.disk_usage(output).free
    if free < needed:
        raise UserError(
            f"--output: the disk of {output} has {free / 1e9:.1f} GB free, and "
            f"{needed / 1e9:.1f} GB are needed; make room, or choose another place"
        )


def install(archive: Archive, output: str, origin: str) -> None:
    """Fetches and unpacks an archive; its folder appears whole or not at all."""
    path = obtain(archive, output, origin)
    folder = os.path.join(output, archive.folder)
    temporary = os.path.join(output, ARCHIVES, archive.folder)
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with named_errors("write", folder):
            unpack(path, archive.members, temporary)
            if problem := count_problem(archive, temporary):
                raise UserError(f"{path} has {problem}")
            os.rename(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def obtain(archive: Archive, output: str, origin: str) -> str:
    """Returns the path of the archive; fetches it unless it is here already.

    Raises:
        UserError: it cannot be fetched, or the one here is not the expected one.
    """
    is_local = os.path.isdir(origin)
    folder = origin if is_local else os.path.join(output, ARCHIVES)
    path = os.path.join(folder, archive.name)
    if is_local or os.path.exists(path):
        if not os.path.isfile(path):
            raise UserError(f"--from: no file {path}")
        if problem := digest_problem(path, archive.digest):
            raise UserError(f"{path}: {problem}; remove it")
        return path
    try:
        with progress_bar(f"fetching {archive.name}", archive.length) as shown:
            url = f"{origin}/{archive.name}"
            fetch(url, path, archive.length, archive.digest, shown)
    except KeyboardInterrupt:
        LOGGER.warning(
            "Partial download kept (%s of %s bytes). Run the same command again to "
            "resume.",
            f"{size_of(path + '.part'):,}",
            f"{archive.length:,}",
        )
        raise
    return path


def unpack(path: str, members: str, folder: str) -> None:
    """Unpacks the members whose names match, flat into a new folder."""
    os.mkdir(folder)
    with zipfile.ZipFile(path) as archive:
        matches = ((i, re.fullmatch(members, i.filename)) for i in archive.infolist())
        files = {info: match[1] for info, match in matches if match}
        size, total = 0, sum(info.file_size for info in files)
        with progress_bar(f"unpacking {os.path.basename(path)}", total) as shown:
            for info, name in files.items():
                path = os.path.join(folder, name)
                with archive.open(info) as source, open(path, "xb") as file:
                    shutil.copyfileobj(source, file)
                size += info.file_size
                shown(size)


@contextlib.contextmanager
def progress_bar(doing: str, total: int) -> Iterator[Callable[[int], None]]:
    """Shows progress on a terminal; yields the function that takes the bytes done."""
    from records.progress_line import ProgressLine, megabytes_and_left

    with ProgressLine(megabytes_and_left) as progress:
        task = progress.add_task(doing, total=total)
        yield lambda size: progress.update(task, completed=size)
