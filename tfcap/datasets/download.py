"""Downloads published data sets: fetches, checks and unpacks them, and counts.

    OUTPUT/Flicker8k_Dataset/   each folder has its name only once it is whole
    OUTPUT/Flickr8k_text/
    OUTPUT/archives/            parts and archives, removed at the end

The same command resumes where it stopped, and does nothing once all is there.
"""

import logging
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from records.errors import UserError
from records.storage.files import make_output, named_errors
from records.storage.locks import locked
from tfcap.datasets.archives import progress_bar, unpack
from tfcap.datasets.catalog import Archive, DataSet, ExpectedCount, Folder
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
        origin: URL or directory of the archives; None for the published ones.
        keep_archives: leave the archives in `archives/`.

    Returns:
        Whether anything was missing.

    Raises:
        UserError: an archive cannot be fetched, is not the expected one or has no room
            on disk; or a folder is there but not whole. Whole folders stay.
    """
    origin, archives = origin and check_origin(origin), f"{output}/{ARCHIVES}"
    missing = [folder for folder in data_set.folders if not is_whole(folder, output)]
    if not missing:
        return False
    make_output(archives, "--output")
    with locked(archives, output):
        check_room(missing, output, origin)
        for folder in missing:
            install(folder, output, origin)
            if not keep_archives:
                remove_archives(folder, archives)
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


def is_whole(folder: Folder, output: str) -> bool:
    """Returns whether a folder is there already.

    Raises:
        UserError: it is there, but something is missing in it.
    """
    path = os.path.join(output, folder.name)
    if not os.path.exists(path):
        return False
    if problem := count_problem(folder, path):
        raise UserError(
            f"{path} is there, but has {problem}; remove it, and run the same "
            "command again"
        )
    return True


def count_problem(folder: Folder, path: str) -> str | None:
    """Describes the first wrong count in a folder; None if all are right."""
    for expected in folder.counts:
        number = count(expected, path)
        if number != expected.number:
            return f"{number:,} {expected.what}, not {expected.number:,}"
    return None


def count(expected: ExpectedCount, folder: str) -> int:
    files = list(Path(folder).glob(expected.files))
    if not expected.lines:
        return len(files)
    lines = (line for path in files for line in path.read_bytes().splitlines())
    return sum(bool(line.strip()) for line in lines)


def check_room(missing: Sequence[Folder], output: str, origin: str | None) -> None:
    """Raises UserError if the disk has too little room for what is missing."""
    needed = SPARE + sum(folder.unpacked for folder in missing)
    if not (origin and os.path.isdir(origin)):
        archives = [archive for folder in missing for archive in folder.archives]
        fetched = sum(map(os.path.getsize, Path(output, ARCHIVES).glob("*.zip*")))
        needed += max(0, sum(archive.length or 0 for archive in archives) - fetched)
    free = shutil.disk_usage(output).free
    if free < needed:
        raise UserError(
            f"--output: the disk of {output} has {free / 1e9:.1f} GB free, and "
            f"{needed / 1e9:.1f} GB are needed; make room, or choose another place"
        )


def install(folder: Folder, output: str, origin: str | None) -> None:
    """Fetches and unpacks a folder's archives; it appears whole or not at all."""
    paths = [(obtain(a, output, origin), a.members) for a in folder.archives]
    final = os.path.join(output, folder.name)
    temporary = os.path.join(output, ARCHIVES, folder.name)
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with named_errors("write", final):
            for path, members in paths:
                unpack(path, members, temporary)
            if problem := count_problem(folder, temporary):
                names = ", ".join(path for path, _ in paths)
                raise UserError(f"{names} has {problem}")
            os.rename(temporary, final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def obtain(archive: Archive, output: str, origin: str | None) -> str:
    """Returns the path of an archive; fetches it unless it is here already.

    One without a digest is fetched again: nothing shows that the earlier one was whole.

    Raises:
        UserError: it cannot be fetched, or the one here is not the expected one.
    """
    is_local = origin is not None and os.path.isdir(origin)
    path = os.path.join(
        str(origin) if is_local else f"{output}/{ARCHIVES}", archive.name
    )
    if is_local and not os.path.isfile(path):
        raise UserError(f"--from: no file {path}")
    if is_local or (archive.digest and os.path.exists(path)):
        if problem := digest_problem(path, archive.digest):
            raise UserError(f"{path}: {problem}; remove it")
        return path
    fetch_archive(archive, f"{origin}/{archive.name}" if origin else archive.url, path)
    return path


def fetch_archive(archive: Archive, url: str, path: str) -> None:
    try:
        with progress_bar(f"fetching {archive.name}", archive.length) as shown:
            fetch(url, path, archive.length, archive.digest, shown)
    except KeyboardInterrupt:
        if archive.length:
            LOGGER.warning(
                "Partial download kept (%s of %s bytes). Run the same command again to "
                "resume.",
                f"{size_of(path + '.part'):,}",
                f"{archive.length:,}",
            )
        raise


def remove_archives(folder: Folder, directory: str) -> None:
    """Removes a folder's archives and what was fetched of them."""
    for archive in folder.archives:
        for path in Path(directory).glob(f"{archive.name}*"):
            path.unlink()
