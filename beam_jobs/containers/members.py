"""What the kinds of containers share: the container, and a reader of its members."""

import os
from abc import ABC, abstractmethod
from typing import BinaryIO, NamedTuple

from apache_beam.io.filesystems import FileSystems

from beam_jobs.elements import SourceFile
from records.photo_header import PhotoProblem
from records.storage.base import BLOCK, is_remote
from records.storage.files import can_list, file_size, named_errors, open_file

DAMAGED = "damaged_member"  # the reason of a reject


class Container(NamedTuple):
    """A container, and what is known of it before it is read.

    Attributes:
        path: of the file.
        size: in bytes.
        modified: seconds.
    """

    path: str
    size: int
    modified: float

    @classmethod
    def at(cls, path: str) -> "Container":
        """Returns the container at a path.

        Raises:
            UserError: there is no such file.
        """
        with named_errors("read", path, "--photos"):
            return cls(path, file_size(path), modified(path))

    def open(self, buffering: int = BLOCK) -> BinaryIO:
        """Opens the file; reads `buffering` bytes at a time.

        Raises:
            UserError: it cannot be opened.
        """
        with named_errors("read", self.path, "--photos"):
            return open_file(self.path, BLOCK if is_remote(self.path) else buffering)

    def member(
        self, name: str, size: int, place: int, extent: int = 0, column: str = ""
    ) -> SourceFile:
        """Returns the photo of a name at a place."""
        extent = extent or self.size
        path, time = self.path, self.modified
        return SourceFile(name, path, size, time, place, extent, column)


def modified(path: str) -> float:
    """Returns the time at which a file was last changed, in seconds.

    A web server need not say it, so there it is 0.
    """
    if not can_list(path):
        return 0.0
    if is_remote(path):
        return FileSystems.last_updated(path)
    return os.path.getmtime(path)


class MemberReader(ABC):
    """A reader of the members of one open container, in the order of their places."""

    def __init__(self, path: str):
        self.path, self.file = path, open_file(path)

    @abstractmethod
    def read(self, member: SourceFile) -> bytes:
        """Returns the bytes of a member.

        Raises:
            PhotoProblem: it is damaged, or not what the listing said.
            OSError: the container cannot be read.
        """

    def read_whole(self, size: int) -> bytes:
        """Returns the next bytes of the file.

        Raises:
            PhotoProblem: there are fewer.
        """
        content = self.file.read(size)
        if len(content) < size:
            raise PhotoProblem(
                DAMAGED, f"the container ends after {len(content)} of its {size} bytes"
            )
        return content

    def close(self) -> None:
        self.file.close()
