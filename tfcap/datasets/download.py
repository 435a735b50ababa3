"""Published data sets: fetched, checked, unpacked, counted.

    OUTPUT/Flicker8k_Dataset/   each folder under its own name only when it is whole
    OUTPUT/Flickr8k_text/
    OUTPUT/archives/            parts and archives, gone when all is done

The same command resumes where it stopped, and does nothing once all is there.
"""

import contextlib
import os
import shlex
import shutil
import sys
import uuid
from pathlib import Path

from records.console import number_table, plain_console
from records.errors import UserError
from records.storage.files import make_output
from records.storage.locks import locked
from tfcap.datasets.catalog import Archive, DataSet, ExpectedCount
from tfcap.datasets.http import Part, cannot_write, fetch, other_digest
from tfcap.datasets.zip import unpack, unpacked_size

ARCHIVES = "archives"
SPARE = 64 << 20  # bytes of disk that are left free


def download(
    data_set: DataSet,
    output: str,
    origin: str | None = None,
    keep_archives: bool = False,
) -> bool:
    """Fetches what is not there yet, and checks all of it.

    Args:
        data_set: which.
        output: directory it comes to lie in; made if it is not there.
        origin: URL, or directory, that has the archives; None for the published one.
        keep_archives: leave them in `archives/`.

    Returns:
        Whether anything was missing.

    Raises:
        UserError: something cannot be had, is not what it should be or has no room; a
            folder that is there is not whole. What is whole already stays.
    """
    origin = check_origin(origin or data_set.origin)
    missing = [
        archive for archive in data_set.archives if not is_whole(archive, output)
    ]
    if not missing:
        return False
    make_output(os.path.join(output, ARCHIVES), "--output")
    with locked(os.path.join(output, ARCHIVES), output):
        remove_leftovers(output)
        check_room(missing, output, origin)
        for archive in missing:
            install(archive, output, origin)
            if not keep_archives:
                remove_archive(archive, output)
    if not os.listdir(os.path.join(output, ARCHIVES)):
        os.rmdir(os.path.join(output, ARCHIVES))
    return True


def check_origin(origin: str) -> str:
    if origin.startswith(("http://", "https://")) or os.path.isdir(origin):
        return origin.rstrip("/")
    raise UserError(
        f"--from: {origin} is neither a directory nor an address that begins with "
        "https:// or http://"
    )


def is_whole(archive: Archive, output: str) -> bool:
    """Whether the archive is unpacked already.

    Raises:
        UserError: its folder is there, but something is missing in it.
    """
    folder = os.path.join(output, archive.folder)
    if not os.path.exists(folder):
        return False
    problem = first_wrong(archive, folder)
    if problem:
        raise UserError(
            f"{folder} is there, but has {problem}; remove it, and the same command "
            "makes it anew"
        )
    return True


def first_wrong(archive: Archive, folder: str) -> str | None:
    """The first fact that does not hold in a folder, in words."""
    for fact in archive.facts:
        found = count(fact, folder)
        if found != fact.count:
            return f"{found:,} {fact.what}, not {fact.count:,}"
    return None


def count(fact: ExpectedCount, folder: str) -> int:
    files = list(Path(folder).glob(fact.files))
    if not fact.lines:
        return len(files)
    lines = (line for path in files for line in path.read_bytes().splitlines())
    return sum(bool(line.strip()) for line in lines)


def remove_leftovers(output: str) -> None:
    """Removes what a try broken off while unpacking has left."""
    for path in Path(output, ARCHIVES).glob(".*.tmp"):
        shutil.rmtree(path)


def check_room(missing: list[Archive], output: str, origin: str) -> None:
    """Looks at the disk before the first byte is fetched.

    Raises:
        UserError: there is too little room on it.
    """
    needed = SPARE
    for archive in missing:
        path = os.path.join(output, ARCHIVES, archive.name)
        had = sum(map(size_of, (path, path + ".part")))
        to_fetch = 0 if os.path.isdir(origin) else archive.length - had
        needed += archive.unpacked + max(to_fetch, 0)
    refuse_if_full(output, needed)


def size_of(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0


def refuse_if_full(output: str, needed: int) -> None:
    free = shutil.disk_usage(output).free
    if free < needed:
        raise UserError(
            f"--output: the disk of {output} has {free / 1e9:.1f} GB free, and "
            f"{needed / 1e9:.1f} GB are needed; make room, or choose another place"
        )


def install(archive: Archive, output: str, origin: str) -> None:
    """From origin to a whole folder."""
    path = obtain(archive, output, origin)
    folder = os.path.join(output, archive.folder)
    temporary = os.path.join(
        output, ARCHIVES, f".{archive.folder}.{uuid.uuid4().hex[:8]}.tmp"
    )
    size = unpacked_size(path, archive.members)
    refuse_if_full(output, size)
    os.mkdir(temporary)
    try:
        with bar(f"unpacking {archive.name}", size) as shown:
            unpack(path, archive.members, temporary, shown)
        problem = first_wrong(archive, temporary)
        if problem:
            raise UserError(f"{path} has {problem}")
        os.rename(temporary, folder)
    except OSError as error:
        raise cannot_write(folder, error) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def obtain(archive: Archive, output: str, origin: str) -> str:
    """Returns the path of the archive, downloaded and of the right digest."""
    if os.path.isdir(origin):
        return checked(archive, os.path.join(origin, archive.name))
    path = os.path.join(output, ARCHIVES, archive.name)
    if os.path.exists(path):
        return checked(archive, path)
    url = f"{origin}/{archive.name}"
    try:
        with bar(f"fetching {archive.name}", archive.length) as shown:
            fetch(url, path, archive.length, archive.digest, shown)
    except KeyboardInterrupt:
        kept = f"{Part(path).size:,} of {archive.length:,} bytes"
        print(
            f"Partial download kept ({kept}). Run the same command again to resume.",
            file=sys.stderr,
        )
        raise
    return path


def checked(archive: Archive, path: str) -> str:
    """An archive that lies here already.

    Raises:
        UserError: it is not there, or not the one expected.
    """
    if not os.path.isfile(path):
        raise UserError(f"--from: no file {path}")
    wrong = other_digest(path, archive.digest)
    if wrong:
        raise UserError(f"{path}: {wrong}; remove it")
    return path


def remove_archive(archive: Archive, output: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.remove(os.path.join(output, ARCHIVES, archive.name))


@contextlib.contextmanager
def bar(doing: str, total: int):
    """A progress bar on standard error, if that is a terminal; yields what moves it."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console, quiet = Console(stderr=True), not sys.stderr.isatty()
    with Progress(*columns, console=console, disable=quiet) as progress:
        task = progress.add_task(doing, total=total)
        yield lambda size: progress.update(task, completed=size)


def print_summary(data_set: DataSet, output: str, fetched: bool) -> None:
    """Prints what is there, and the command to run next."""
    if fetched:
        print(f"{data_set.name} is in {output}, each file checked")
    else:
        print(f"{data_set.name} is complete in {output}; nothing to do")
    table = number_table("", "found", "expected")
    for archive in data_set.archives:
        for fact in archive.facts:
            found = count(fact, os.path.join(output, archive.folder))
            table.add_row(fact.what, f"{found:,}", f"{fact.count:,}")
    plain_console().print(table)
    print(f"{data_set.terms}\nnext:\n{command(data_set, output)}")


def command(data_set: DataSet, output: str) -> str:
    """The command that reads the data set, as a shell takes it."""
    return shlex.join(part.format(output=output) for part in data_set.next)
