"""Members of a zip archive to files, and none outside the folder meant for them."""

import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from records.errors import UserError
from tfcap.datasets.http import BLOCK, Appended


def unpack(
    path: str,
    members: str,
    folder: str,
    shown: Callable[[int], None] = lambda size: None,
) -> int:
    """Unpacks the wanted members, each checked against its CRC, flat into a folder.

    Args:
        path: of the archive.
        members: pattern of the wanted ones' names, whose group is the file's name.
        folder: an empty one.
        shown: called with the bytes written, again and again.

    Returns:
        How many members were left out.

    Raises:
        UserError: a damaged archive, a full disk, or a member that would come to stand
            outside the folder.
    """
    size = 0
    with opened(path) as archive:
        every = [info for info in archive.infolist() if not info.is_dir()]
        wanted = choose(path, every, members)
        for name, info in wanted.items():
            with (
                archive.open(info) as source,
                Appended(os.path.join(folder, name)) as file,
            ):
                while block := source.read(BLOCK):
                    file.write(block)
                    size += len(block)
                    shown(size)
    return len(every) - len(wanted)


def unpacked_size(path: str, members: str) -> int:
    """Bytes that the wanted members take on disk.

    Raises:
        UserError: as `unpack`.
    """
    with opened(path) as archive:
        wanted = choose(path, archive.infolist(), members)
    return sum(info.file_size for info in wanted.values())


@contextmanager
def opened(path: str) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise UserError(f"{path} is a damaged zip archive: {error}") from None


def choose(
    path: str, every: list[zipfile.ZipInfo], members: str
) -> dict[str, zipfile.ZipInfo]:
    """File name -> wanted member; one unsafe member and nothing of it is unpacked."""
    wanted: dict[str, zipfile.ZipInfo] = {}
    for info in every:
        problem = unsafe(info)
        found = re.fullmatch(members, info.filename)
        if found and found[1] in wanted:
            problem = "is there twice"
        if problem:
            raise UserError(
                f"{path}: member {info.filename!r} {problem}; nothing is unpacked"
            )
        if found:
            wanted[found[1]] = info
    return wanted


def unsafe(info: zipfile.ZipInfo) -> str | None:
    """What is wrong with a member, if anything."""
    name = info.orig_filename
    if name.startswith("/") or ".." in name.split("/") or set(name) & set("\\:\0"):
        return "would come to stand outside its folder"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "is a link"
    if info.flag_bits & 1:
        return "is encrypted"
    return None
