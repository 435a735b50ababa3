"""Unpacks what data sets are published as: zips, `.tar.gz` and single files."""

import contextlib
import io
import os
import re
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, NamedTuple

from records.errors import UserError

DAMAGE = (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error)
Open = Callable[[], IO[bytes] | None]


class Member(NamedTuple):
    """A file in an archive.

    Attributes:
        name: its name there.
        size: in bytes.
        open: opens it for reading.
    """

    name: str
    size: int
    open: Open


def unpack(path: str, members: str, folder: str) -> None:
    """Unpacks the members whose names match, flat into a folder.

    Args:
        path: path of the archive.
        members: pattern of their names. Its group is the name of the file.
        folder: path of the folder, which is made if it does not exist.

    Raises:
        UserError: the archive is damaged.
        OSError: a file cannot be written, or two members have its name.
    """
    os.makedirs(folder, exist_ok=True)
    with damage_named(path), open_archive(path) as listed:
        matches = ((member, re.fullmatch(members, member.name)) for member in listed)
        files = [(member, match[1]) for member, match in matches if match]
        size, total = 0, sum(member.size for member, _ in files)
        with progress_bar(f"unpacking {os.path.basename(path)}", total) as shown:
            for member, name in files:
                copy(member, os.path.join(folder, name))
                size += member.size
                shown(size)


def copy(member: Member, path: str) -> None:
    source = member.open()
    assert source, "only regular files are listed"
    with source, open(path, "xb") as file:
        shutil.copyfileobj(source, file)


@contextlib.contextmanager
def open_archive(path: str) -> Iterator[list[Member]]:
    """Lists the files in an archive; a file of another kind is its only member."""
    with contextlib.ExitStack() as stack:
        if path.endswith(".zip"):
            zipped = stack.enter_context(zipfile.ZipFile(path))
            yield [
                Member(info.filename, info.file_size, partial(zipped.open, info))
                for info in zipped.infolist()
            ]
        elif path.endswith(".tar.gz"):
            tar = stack.enter_context(tarfile.open(path, "r:gz"))
            yield [
                Member(info.name, info.size, partial(tar.extractfile, info))
                for info in tar
                if info.isfile()
            ]
        else:
            name, size = os.path.basename(path), os.path.getsize(path)
            yield [Member(name, size, partial(io.FileIO, path))]


@contextlib.contextmanager
def damage_named(path: str) -> Iterator[None]:
    """Turns the libraries' errors of damaged archives into a UserError."""
    try:
        yield
    except DAMAGE as error:
        raise UserError(f"{path} is damaged: {error}; remove it") from None


@contextlib.contextmanager
def progress_bar(doing: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Shows progress on a terminal; yields the function that takes the bytes done."""
    from records.progress_line import ProgressLine, megabytes_and_left

    with ProgressLine(megabytes_and_left) as progress:
        task = progress.add_task(doing, total=total)
        yield lambda size: progress.update(task, completed=size)
