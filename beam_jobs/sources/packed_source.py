"""The base of sources whose photos and captions lie together in containers.

A container is one input of the text: its captions are read in order, and each photo is
named by its place. The step that writes a shard reads the photos there.

Splits are those of the files' names, `train-00000-of-00013.parquet` or
`val/00000.tar`; or of the samples; or drawn by `--split_fractions`.
"""

import argparse
import itertools
import json
import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from beam_jobs.containers.members import Container
from beam_jobs.containers.patterns import expand, expand_braces
from beam_jobs.elements import Caption, Item, Named, SplitAssignment
from beam_jobs.sources.base import CAPTIONS, Part, Source
from beam_jobs.sources.item_error import ItemError
from beam_jobs.sources.json_source import path_text, shown, text
from records.errors import UserError
from records.format.rejects import Reject
from records.storage.files import as_utf8
from records.storage.photo_ids import SPLIT_NAMES, is_below, split_name

FIELDS = "fields"  # of the manifest's `sources`: what `--field` gave, as JSON
CAPTION_KEYS = ("captions", "caption", "text")
FIRST = 10  # items that are read before the job starts


@dataclass(frozen=True)
class PackedSource(Source):
    """One form of containers.

    Attributes:
        endings: of the containers' names.
        roles: that `--field` may give names for.
        containers: paths, in order.
        fields: role -> names that `--field` gave.
        drawn: `--split_fractions` decides how photos are split.
        photos: the value of `--photos`.
    """

    endings: ClassVar[tuple[str, ...]]
    roles: ClassVar[Sequence[str]] = ()

    containers: tuple[str, ...] = ()
    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)
    drawn: bool = False
    photos: str = ""

    @property
    def holds_photos(self) -> bool:
        return True

    @classmethod
    def check_options(
        cls, captions: Sequence[str], splits: str | None, drawn: bool = False
    ) -> None:
        if captions:
            raise cls.usage_error("it takes no --captions")
        if splits:
            raise cls.usage_error("it takes no --splits")

    @classmethod
    def from_options(
        cls, args: argparse.Namespace, check_inputs: bool = True
    ) -> Source:
        """Returns the source of these options; checks its first container.

        Raises:
            UserError: a container is missing or of another form, or names no split.
        """
        names = cls.names(args, check_inputs)
        for name in names:
            if not name.lower().endswith(cls.endings):
                raise UserError(
                    f"--source {cls.name} reads files that end in "
                    f"{' or '.join(cls.endings)}; received {name}"
                )
        drawn = args.split_fractions is not None
        fields = group_fields(args.field)
        source = cls(tuple(args.captions), {}, tuple(names), fields, drawn, args.photos)
        if check_inputs:
            source.check_first()
        return source

    @classmethod
    def names(cls, args: argparse.Namespace, check_inputs: bool) -> list[str]:
        """Returns the paths of the containers; with False, lists no files."""
        return expand(args.photos) if check_inputs else list(expand_braces(args.photos))

    def check_first(self) -> None:
        path = self.containers[0]
        items = list(itertools.islice(self.items((CAPTIONS, path)), FIRST))
        if not any(isinstance(item, Caption) for item in items):
            rejects = [item for item in items if isinstance(item, Reject)]
            first = f" ({describe(rejects[0])})" if rejects else ""
            raise UserError(
                f"--photos: no captioned photo at the head of {path}{first}. --source "
                f"{self.name} needs {self.needs}"
            )
        split = any(isinstance(item, SplitAssignment) for item in items)
        if not split and not self.drawn:
            raise UserError(
                f"--source {self.name}: neither the name of {path} nor what is in it "
                f"names a split, train, dev or test. It needs {self.needs}, e.g. "
                "0.9,0.05,0.05"
            )

    @classmethod
    def check_start(cls, option: str) -> None:
        """Does nothing: `check_first` knows the fields."""

    @staticmethod
    def read(option: str) -> Iterator[Item]:
        """Does nothing: `read_container` knows the fields."""
        return iter(())

    def files(self) -> dict[str, str]:
        return {FIELDS: json.dumps(self.fields)} if self.fields else {}

    def to_read(self) -> list[Part]:
        return [(CAPTIONS, path) for path in self.containers]

    def items(self, part: Part) -> Iterator[Item]:
        _, path = part
        split = None if self.drawn else split_in_name(path)
        return self.read_container(Container.at(path), split)

    @abstractmethod
    def read_container(self, container: Container, split: str | None) -> Iterator[Item]:
        """Yields the photos of a container with their captions and splits.

        Args:
            container: to read.
            split: of all its photos, if its name has one.

        Raises:
            UserError: the container as a whole cannot be read.
        """

    def entry_items(
        self,
        where: str,
        photo: str,
        entry: Mapping[str, Any],
        split: str | None,
        captions: Sequence[str],
    ) -> Iterator[Item]:
        """Yields captions and split of a sample.

        Args:
            where: container and place in it, for rejects.
            photo: its id.
            entry: the sample's fields.
            split: of the container.
            captions: names of the fields that hold captions.
        """
        if not (split or self.drawn):
            (key,) = self.fields.get("split", ("split",))
            split = entry.get(key)
        if split is not None:
            yield SplitAssignment(photo, split_name(as_utf8(str(split))))
        values = caption_values(entry, captions)
        items = list(caption_items(where, photo, values))
        if all(entry.get(name) is None for name in captions):
            detail = f"expected a field {' or '.join(map(repr, captions))}"
            items = [Reject("caption", where, "missing_field", detail, 1)]
        yield from items
        if split is None and all(isinstance(item, Reject) for item in items):
            yield Named(photo)


def caption_values(entry: Mapping[str, Any], names: Sequence[str]) -> list[Any]:
    """Returns the values of some fields, those of lists one by one."""
    values = (entry[name] for name in names if entry.get(name) is not None)
    lists = (value if isinstance(value, list) else [value] for value in values)
    return list(itertools.chain.from_iterable(lists))


def caption_items(
    where: str, photo: str, values: Sequence[Any]
) -> Iterator[Caption | Reject]:
    for number, value in enumerate(values):
        place = f"{where}[{number}]"
        try:
            yield Caption(photo, number, place, text(value, "caption"))
        except ItemError as bad:
            yield bad.reject("caption", place, 1)


def member_id(name: str) -> str:
    """Returns the photo's id for a name in a container.

    Raises:
        ItemError: the name is none of a file, or leads out of a directory.
    """
    photo = path_text(name, "name")
    if not is_below(photo):
        detail = f"expected a path within the container; received {shown(name)}"
        raise ItemError("path_outside", detail)
    return photo


def group_fields(fields: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Returns role -> names, in order."""
    grouped: dict[str, list[str]] = {}
    for role, name in fields:
        grouped.setdefault(role, []).append(name)
    return grouped


def split_in_name(path: str) -> str | None:
    """Returns the split that a file's name has as a word, else its folder's.

    >>> split_in_name("a/train-00000-of-00013.parquet"), split_in_name("val/0.tar")
    ('train', 'dev')
    """
    for part in path.split("/")[:-3:-1]:
        words = re.split(r"[^a-z]+", part.lower())
        splits = {SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES}
        if splits:
            return splits.pop() if len(splits) == 1 else None
    return None


def first_of(keys: Sequence[str], entry: Mapping[str, Any]) -> Sequence[str]:
    """Returns the first key that an entry has a value for, else all of them."""
    return [key for key in keys if entry.get(key) is not None][:1] or keys


def describe(reject: Reject) -> str:
    return f"{reject.where}, {reject.reason}: {reject.detail}"
