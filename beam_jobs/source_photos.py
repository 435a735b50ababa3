"""Photos of a record set in the containers that it was built from.

`tfcap verify --sample` and the pages that show photos read them here
(`records.format.photos`), by the readers of the build.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from beam_jobs.containers.patterns import expand, is_zip
from beam_jobs.elements import SourceFile
from beam_jobs.io.photo_files import check_photos, list_photos
from beam_jobs.io.photo_reader import PhotoReader
from beam_jobs.sources.packed_source import FIELDS, PackedSource
from beam_jobs.sources.parquet import Parquet
from beam_jobs.sources.webdataset import WebDataset
from records.errors import UserError
from records.photo_header import PhotoProblem
from records.storage.photo_directory import PhotoFile
from records.storage.photo_ids import base_name

PACKED: tuple[type[PackedSource], ...] = (WebDataset, Parquet)


class ContainerPhotos:
    """Photos in containers, by their ids.

    Args:
        sources: of the manifest, which names the columns of Parquet files.
        path: of a container, or a pattern; the attribute `directory`.

    Raises:
        UserError: a container is missing or of another form.
    """

    def __init__(self, sources: Mapping[str, str], path: str):
        self.directory, self.reader = path, PhotoReader()
        self.source = None if is_zip(path) else packed_source(sources, path)
        self.members: dict[str, list[SourceFile]] = {}
        if self.source is None:
            check_photos(path)

    def locate(self, photo_ids: Iterable[str]) -> Sequence[str]:
        """Finds photos in one pass; returns their ids in stored order.

        An id without a folder means the photo of that name in any folder.

        Raises:
            UserError: a container cannot be read.
        """
        ids = dict.fromkeys(photo_ids)
        wanted = ids.keys() - self.members.keys()
        found: dict[str, list[SourceFile]] = defaultdict(list)
        if wanted:
            for member in self.listed():
                for key in {member.photo_id, base_name(member.photo_id)} & wanted:
                    found[key].append(member)
        for photo_id in wanted:
            self.members[photo_id] = sorted(
                found[photo_id], key=lambda member: member.photo_id != photo_id
            )
        return sorted(ids, key=self.stored_place)

    def stored_place(self, photo_id: str) -> tuple[str, int]:
        first = next(iter(self.members[photo_id]), None)
        return (first.path, first.place) if first else ("", 0)

    def listed(self) -> Iterator[SourceFile]:
        """Yields the photos of all containers."""
        if self.source is None:
            yield from list_photos(self.directory)
            return
        for part in self.source.to_read():
            for item in self.source.items(part):
                if isinstance(item, SourceFile):
                    yield item

    def read(self, photo_id: str, sha256: bytes) -> PhotoFile | None:
        """Reads the photo of this digest, else the first of this name, else None.

        Raises:
            UserError: a container cannot be read.
        """
        if photo_id not in self.members:
            self.locate([photo_id])
        other = None
        for member in self.members[photo_id]:
            content = self.reader.read_member(member)
            if isinstance(content, PhotoProblem):
                continue
            same = hashlib.sha256(content[0]).digest() == sha256
            photo = PhotoFile(member.name, content[0], same)
            if same:
                return photo
            other = other or photo
        return other


def packed_source(sources: Mapping[str, str], path: str) -> PackedSource:
    """Returns the source that lists the photos of tars or Parquet files.

    Raises:
        UserError: a container is missing, or the manifest's fields are damaged.
    """
    try:
        fields = json.loads(sources.get(FIELDS, "{}"))
        if not all(isinstance(names, list) for names in fields.values()):
            raise ValueError("expected a list of names for each role")
    except (ValueError, AttributeError, RecursionError) as error:
        raise UserError(f"dataset.json: {FIELDS!r} cannot be read: {error}") from None
    (kind,) = (kind for kind in PACKED if path.lower().endswith(kind.endings))
    return kind((), {}, tuple(expand(path)), fields, drawn=True, photos=path)
