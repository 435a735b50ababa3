"""Reads the photos of a shard, from their files or from containers, in order."""

import os
from collections.abc import Mapping, Sequence

from beam_jobs.containers.members import MemberReader
from beam_jobs.containers.parquet_files import ParquetReader
from beam_jobs.containers.tar_files import TarReader
from beam_jobs.containers.zip_files import ZipReader
from beam_jobs.elements import Photo, SourceFile
from beam_jobs.io.photo_files import read_photos, reject_photo
from records.format.rejects import Reject
from records.photo_header import MAX_BYTES, PhotoProblem, check_header
from records.storage.files import named_errors

ReadPhoto = tuple[Photo, bytes, str]  # photo, its bytes, their format
READERS: Mapping[str, type[MemberReader]] = {
    ".parquet": ParquetReader,
    ".tar": TarReader,
    ".zip": ZipReader,
}


class PhotoReader:
    """A reader of photos, which keeps the last container open; a context manager.

    Members asked for in the order of their places are read without going back.
    """

    def __init__(self) -> None:
        self.members: MemberReader | None = None

    def __enter__(self) -> "PhotoReader":
        return self

    def __exit__(self, *_: object) -> None:
        if self.members:
            self.members.close()

    def read_batch(
        self, photos: Sequence[Photo]
    ) -> tuple[list[ReadPhoto], list[Reject]]:
        """Reads photos, in order.

        Returns:
            (photo, bytes, format) of those worth decoding; a reject for each of the
            others.

        Raises:
            UserError: the file system does not answer.
        """
        read: list[ReadPhoto] = []
        rejected = []
        for photo, result in zip(photos, self.read(photos), strict=True):
            if isinstance(result, PhotoProblem):
                rejected.append(reject_photo(photo, result.reason, str(result)))
            else:
                read.append((photo, *result))
        return read, rejected

    def read(self, photos: Sequence[Photo]) -> list[tuple[bytes, str] | PhotoProblem]:
        """Returns bytes and format, or the problem, of members or of files."""
        if any(photo.file.container for photo in photos):
            return [self.read_member(photo.file) for photo in photos]
        return read_photos([photo.file.path for photo in photos])

    def read_member(self, member: SourceFile) -> tuple[bytes, str] | PhotoProblem:
        """Returns the bytes and format of a member, or what is wrong with it.

        Raises:
            UserError: the container cannot be read. The photo is not at fault.
        """
        if member.size > MAX_BYTES:
            detail = f"{member.size:,} bytes; {MAX_BYTES:,} are the most that is read"
            return PhotoProblem("too_many_bytes", detail)
        try:
            with named_errors("read", member.path):
                content = self.container(member.path).read(member)
            return content, check_header(content).kind
        except PhotoProblem as problem:
            return problem

    def container(self, path: str) -> MemberReader:
        if self.members is None or self.members.path != path:
            self.__exit__()
            self.members = None
            self.members = READERS[os.path.splitext(path)[1].lower()](path)
        return self.members
