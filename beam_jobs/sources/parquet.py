"""Parquet files with photos, as Hugging Face writes them, or with their paths.

    train-00000-of-00013.parquet    image      {bytes, path}, or bytes
                                    caption    a text, or a list of texts

The photos' column is `image`, `photo`, `jpg`, `png` or `img`, or the only one of bytes;
the captions' is `captions`, `caption` or `text`, or the columns `caption_0`,
`caption_1` and so on. `--field photo=NAME` and `--field caption=NAME`, which may be
repeated, take others. A photo's id is `file_name` or `filename`, `--field name=NAME`,
else the `path` beside its bytes, else the file and the row.

With `--captions` the files hold captions and paths of photos below `--photos`.
"""

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pyarrow as pa
from pyarrow import types

from beam_jobs.containers.members import Container
from beam_jobs.containers.parquet_files import (
    DamagedRowsError,
    open_parquet,
    read_rows,
)
from beam_jobs.containers.patterns import expand, expand_braces
from beam_jobs.elements import Item
from beam_jobs.sources.base import CAPTIONS
from beam_jobs.sources.item_error import ItemError
from beam_jobs.sources.json_source import path_text
from beam_jobs.sources.packed_source import (
    CAPTION_KEYS,
    PackedSource,
    caption_values,
    member_id,
)
from records.errors import UserError
from records.format.rejects import Reject
from records.storage.files import as_utf8
from records.storage.photo_ids import base_name

PHOTOS = ("image", "photo", "jpg", "png", "img")
PATHS = ("file_name", "filename", "photo", "image")
NAMES = ("file_name", "filename")
MANY = 1 << 20  # rows of a row group
NUMBERED = re.compile(r"captions?_(\d{1,9})")


@dataclass(frozen=True)
class Columns:
    """The columns of a file that are read.

    Attributes:
        photo: of the photos' bytes, with a dot before a field of a struct; or of their
            paths.
        captions: one or more.
        name: of the photo's id, likewise; empty if there is none.
        split: empty if there is none.
    """

    photo: str
    captions: tuple[str, ...]
    name: str
    split: str

    def of_text(self, paths: bool) -> list[str]:
        """Returns the columns that are read for the text."""
        texts = (*self.captions, self.name, self.split, self.photo if paths else "")
        return list(dict.fromkeys(filter(None, texts)))


class Parquet(PackedSource):
    """Parquet files with photos and captions in rows."""

    name = "parquet"
    needs = (
        "--photos 'data/train-*.parquet', with the split in the files' names or in a "
        "column split, or --split_fractions; or --photos DIR and --captions "
        "'data/*.parquet', for files with paths of photos"
    )
    endings = (".parquet",)
    several = True
    roles: ClassVar = ("photo", "caption", "name", "split")

    @property
    def holds_photos(self) -> bool:
        return not self.captions

    @classmethod
    def check_options(
        cls, captions: Any, splits: str | None, drawn: bool = False
    ) -> None:
        super().check_options([], splits, drawn)

    @classmethod
    def names(cls, args: argparse.Namespace, check_inputs: bool) -> list[str]:
        if not args.captions:
            return super().names(args, check_inputs)
        expanded = expand if check_inputs else expand_braces
        return [name for path in args.captions for name in expanded(path, "--captions")]

    def files(self) -> dict[str, str]:
        captions = {CAPTIONS: ", ".join(self.captions)} if self.captions else {}
        return {**captions, **super().files()}

    def read_container(self, container: Container, split: str | None) -> Iterator[Item]:
        with container.open() as file:
            parquet = open_parquet(file, container.path)
            columns = self.columns(parquet.schema_arrow, container.path)
            rows = parquet.metadata.num_rows
            for found in read_rows(parquet, columns.of_text(not self.holds_photos)):
                if isinstance(found, DamagedRowsError):
                    yield from damaged_rows(found, container.path)
                else:
                    yield from self.row_items(*found, container, columns, rows, split)

    def row_items(
        self,
        row: int,
        values: Mapping[str, Any],
        container: Container,
        columns: Columns,
        rows: int,
        split: str | None,
    ) -> Iterator[Item]:
        where = f"{container.path}:{row}"
        key = columns.name if self.holds_photos else columns.photo
        name = value_at(values, key)
        if self.holds_photos:
            name = name.lstrip("/") if isinstance(name, str) else ""
            name = name.strip() or f"{base_name(container.path)}/{row}"
        try:
            photo = member_id(name) if self.holds_photos else path_text(name, key)
        except ItemError as bad:
            lost = len(caption_values(values, columns.captions))
            yield bad.reject("photo", where, lost)
            return
        if self.holds_photos:
            yield container.member(photo, 0, row, rows, columns.photo)
        yield from self.entry_items(where, photo, values, split, columns.captions)

    def columns(self, schema: pa.Schema, path: str) -> Columns:
        """Chooses the columns of a file.

        Raises:
            UserError: there is no such column; names those that there are.
        """
        self.check_columns(schema, path)
        split = "" if self.drawn else self.column("split", ["split"], schema)
        if self.holds_photos:
            photo = self.column("photo", PHOTOS, schema) or only_photos(schema)
            inner, beside = struct_fields(schema, photo)
            name = self.column("name", NAMES, schema) or beside
        else:
            photo = inner = self.column("photo", PATHS, schema)
            name = ""
        captions = self.fields.get("caption") or caption_columns(schema)
        for role, found in (("photo", inner), ("caption", captions)):
            if not found:
                raise UserError(
                    f"--source parquet: {path} has no column of {role}s that is known; "
                    f"name it with --field {role}=NAME, one of {shown(schema)}"
                )
        return Columns(inner, tuple(captions), name, split)

    def check_columns(self, schema: pa.Schema, path: str) -> None:
        for role, names in self.fields.items():
            for name in names:
                if name not in schema.names:
                    raise UserError(
                        f"--field {role}={name}: {path} has no such column; it has "
                        f"{shown(schema)}"
                    )

    def column(self, role: str, known: Sequence[str], schema: pa.Schema) -> str:
        """Returns the column of a role: as named, else the first known one, or none."""
        names = self.fields.get(role) or [k for k in known if k in schema.names]
        return names[0] if names else ""


def caption_columns(schema: pa.Schema) -> list[str]:
    """Returns the columns of captions: one of a known name, or the numbered ones."""
    known = [name for name in CAPTION_KEYS if name in schema.names]
    numbers = {name: NUMBERED.fullmatch(name) for name in schema.names}
    numbered = [name for name, match in numbers.items() if match]
    return known[:1] or sorted(numbered, key=lambda name: int(name.split("_")[1]))


def only_photos(schema: pa.Schema) -> str:
    """Returns the only column that may hold photos, else none."""
    names = [name for name in schema.names if struct_fields(schema, name)[0]]
    return names[0] if len(names) == 1 else ""


def struct_fields(schema: pa.Schema, name: str) -> tuple[str, str]:
    """Returns the column of a photo's bytes and that of its path, where it has them."""
    kind = schema.field(name).type if name else pa.null()
    if is_bytes(kind):
        return name, ""
    if types.is_struct(kind):
        inner = {field.name: field.type for field in kind}
        if is_bytes(inner.get("bytes", pa.null())):
            return f"{name}.bytes", f"{name}.path" if "path" in inner else ""
    return "", ""


def is_bytes(kind: pa.DataType) -> bool:
    return types.is_binary(kind) or types.is_large_binary(kind)


def value_at(values: Mapping[str, Any], column: str) -> Any:
    """Returns the value of a column, with a dot before a field of a struct."""
    name, _, inner = column.partition(".")
    value = values.get(name)
    return value.get(inner) if inner and isinstance(value, Mapping) else value


def damaged_rows(damage: DamagedRowsError, path: str) -> Iterator[Reject]:
    """Yields a reject for each row, or one for all if the file says they are many."""
    many = damage.last - damage.first > MANY
    first = damage.first
    places = [f"{first}-{damage.last - 1}"] if many else range(first, damage.last)
    for place in places:
        where = f"{path}:{place}"
        yield Reject("photo", where, damage.reason, str(damage), 0)


def shown(schema: pa.Schema) -> str:
    return as_utf8(", ".join(schema.names)[:500])
