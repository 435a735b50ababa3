"""WebDataset: tars in which a photo and its captions lie side by side.

    shards-00000.tar   000000000.jpg   the photo
                       000000000.txt   its caption
                       000000000.json  {"caption": "A dog runs .", ...}

Members with equal names up to the first dot are a sample, and stand one after another,
as img2dataset writes them for Conceptual Captions and LAION. The caption is the `.txt`;
without one, `captions`, `caption` or `text` of the `.json`, a text or a list of them;
with `--field caption=KEY`, that key. A photo's id is the name of its member.
"""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, ClassVar, NamedTuple

from beam_jobs.containers.members import Container
from beam_jobs.containers.tar_files import BUFFER, TarDamage, TarMember, list_tar
from beam_jobs.elements import Item, Named, SplitAssignment
from beam_jobs.sources.item_error import ItemError
from beam_jobs.sources.lines import LONGEST, PHOTO_SUFFIXES
from beam_jobs.sources.packed_source import (
    CAPTION_KEYS,
    PackedSource,
    first_of,
    member_id,
)
from records.format.rejects import Reject
from records.storage.files import as_utf8, named_errors
from records.storage.photo_ids import base_name

TXT, JSON = ".txt", ".json"


class Sample(NamedTuple):
    """The members of a tar with one name.

    Attributes:
        where: tar and name, for rejects.
        photos: of its members; one, in a whole sample.
        texts: suffix -> content, cut to one byte more than `LONGEST`.
    """

    where: str
    photos: list[TarMember]
    texts: dict[str, bytes]


class WebDataset(PackedSource):
    """Tars of samples."""

    name = "webdataset"
    needs = (
        "--photos 'shards-{00000..00099}.tar', with the split in the files' names, or "
        "--split_fractions"
    )
    endings = (".tar",)
    roles: ClassVar = ("caption", "split")

    def read_container(self, container: Container, split: str | None) -> Iterator[Item]:
        path = container.path
        with container.open(BUFFER) as file, named_errors("read", path):
            members = filter(is_shown, list_tar(file, container))
            for key, group in itertools.groupby(members, sample_key):
                sample = Sample(f"{path}:{key}", [], {})
                yield from read_sample(file, group, sample)
                if sample.photos or sample.texts:
                    yield from self.sample_items(sample, container, split)

    def sample_items(
        self, sample: Sample, container: Container, split: str | None
    ) -> Iterator[Item]:
        where, photos, texts = sample
        if len(photos) != 1:
            names = ", ".join(base_name(photo.name) for photo in photos) or "none"
            detail = f"expected one photo in a sample; received {names}"
            yield Reject("photo", where, "not_one_photo", detail, len(texts))
            return
        name, size, start = photos[0]
        try:
            photo = member_id(as_utf8(name))
        except ItemError as bad:
            yield bad.reject("photo", where, len(texts))
            return
        yield container.member(photo, size, start)
        try:
            entry = self.entry(texts, split)
        except ItemError as bad:
            yield bad.reject("caption", where, 1)
            yield SplitAssignment(photo, split) if split else Named(photo)
        else:
            keys = self.fields.get("caption") or first_of(CAPTION_KEYS, entry)
            yield from self.entry_items(where, photo, entry, split, keys)

    def entry(self, texts: Mapping[str, bytes], split: str | None) -> dict[str, Any]:
        """Returns the fields of a sample; those of JSON only where they are used.

        Raises:
            ItemError: a text is too long, not UTF-8 or not JSON.
        """
        from_text = TXT in texts and "caption" not in self.fields
        entry: dict[str, Any] = {}
        if JSON in texts and not (from_text and (split or self.drawn)):
            entry = parse_object(decode(texts[JSON], JSON))
        if from_text:
            entry = {"captions": decode(texts[TXT], TXT), **without_captions(entry)}
        return entry


def is_shown(member: TarMember | TarDamage) -> bool:
    """Returns False for a hidden file, such as macOS writes beside each photo."""
    return not base_name(member.name).startswith(".")


def sample_key(member: TarMember | TarDamage) -> str:
    """Returns the name of a member up to the first dot of its file name."""
    name = base_name(member.name)
    return member.name[: len(member.name) - len(name)] + name.partition(".")[0]


def read_sample(
    file: BinaryIO, members: Iterable[TarMember | TarDamage], sample: Sample
) -> Iterator[Reject]:
    """Adds members to a sample, with the content of texts; yields a reject of damage.

    The members are listed one by one, so that the file may be read between two. A
    sample that the damage cuts is left out.
    """
    for member in members:
        suffix = "." + base_name(member.name).partition(".")[2].lower()
        if isinstance(member, TarDamage):
            where = sample.where.removesuffix(":")
            yield Reject("photo", where, "damaged_archive", member.detail, 0)
            sample.photos.clear()
            sample.texts.clear()
        elif suffix in PHOTO_SUFFIXES:
            sample.photos.append(member)
        elif suffix in (TXT, JSON):
            file.seek(member.start)
            sample.texts[suffix] = file.read(min(member.size, LONGEST + 1))


def decode(content: bytes, suffix: str) -> str:
    """Returns a text.

    Raises:
        ItemError: it is too long, or not UTF-8.
    """
    if len(content) > LONGEST:
        detail = f"expected at most {LONGEST:,} bytes of {suffix}"
        raise ItemError("text_too_long", detail)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ItemError("not_utf8", f"{suffix}: {error}") from None


def parse_object(content: str) -> dict[str, Any]:
    """Returns a JSON object.

    Raises:
        ItemError: it is none.
    """
    try:
        entry = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ItemError("malformed_json", f"{error}: {content[:80]!r}") from None
    if not isinstance(entry, dict):
        detail = f"expected a JSON object; received {content[:80]!r}"
        raise ItemError("not_an_object", detail)
    return entry


def without_captions(entry: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != "captions"}
