r"""Image folders of Hugging Face: photos beside `metadata.jsonl` or `metadata.csv`.

    photos/train/metadata.csv    file_name,text
                                 0001.jpg,A dog runs .
    photos/train/0001.jpg

Each `metadata` file of the photo directory and of two levels of folders below it is
read; `file_name` is a path from its folder. With `--photos X.zip` the files are named
by `--captions`, and paths are those in the zip. The caption is `captions`, `caption` or
`text`, or `--field caption=NAME`, repeated for several columns. The split is the field
`split`, `--field split=NAME`, else a folder of the photo's path, `train/0001.jpg`.
"""

import argparse
import csv
import glob
import json
import os
from collections.abc import Iterator
from typing import Any, ClassVar

from apache_beam.io.filesystems import FileSystems

from beam_jobs.containers.members import Container
from beam_jobs.containers.patterns import is_zip
from beam_jobs.elements import Item
from beam_jobs.sources.base import CAPTIONS
from beam_jobs.sources.item_error import ItemError
from beam_jobs.sources.json_source import count, first_field, path_text, shown
from beam_jobs.sources.lines import decode_line, read_lines
from beam_jobs.sources.packed_source import CAPTION_KEYS, PackedSource, first_of
from records.errors import UserError
from records.storage.files import named_errors
from records.storage.photo_ids import SPLIT_NAMES, photo_id

FILES = ("metadata.jsonl", "metadata.csv")
LEVELS = ("", "*", "*/*")
PHOTO_KEYS = ("file_name", "photo", "image", "filename")


class ImageFolder(PackedSource):
    """`metadata.jsonl` or `metadata.csv` beside photos."""

    name = "imagefolder"
    needs = (
        "--photos DIR with metadata.jsonl or metadata.csv in it or in its folders, "
        "and train, dev and test as folders, as a field split, or --split_fractions"
    )
    endings = (".jsonl", ".csv")
    roles: ClassVar = ("caption", "split")

    @property
    def holds_photos(self) -> bool:
        return False

    @classmethod
    def check_options(
        cls, captions: Any, splits: str | None, drawn: bool = False
    ) -> None:
        super().check_options([], splits, drawn)

    @classmethod
    def names(cls, args: argparse.Namespace, check_inputs: bool) -> list[str]:
        if args.captions:
            return list(args.captions)
        if is_zip(args.photos):
            raise UserError(
                f"--source imagefolder: name the metadata of {args.photos} with "
                "--captions metadata.jsonl"
            )
        return find_metadata(args.photos) if check_inputs else []

    def files(self) -> dict[str, str]:
        return {CAPTIONS: ", ".join(self.containers)}

    def read_container(self, container: Container, split: str | None) -> Iterator[Item]:
        folder = folder_below(container.path, self.photos)
        rows = csv_rows if container.path.lower().endswith(".csv") else json_rows
        for number, entry in rows(container.path):
            yield from self.row_items(f"{container.path}:{number}", entry, folder)

    def row_items(self, where: str, entry: Any, folder: str) -> Iterator[Item]:
        try:
            if isinstance(entry, ItemError):
                raise entry
            key, name = first_field(entry, PHOTO_KEYS)
            photo = photo_id(f"{folder}/{path_text(name, key)}".lstrip("/"))
        except ItemError as bad:
            keys = self.fields.get("caption", CAPTION_KEYS)
            yield bad.reject("photo", where, count(entry, keys))
            return
        keys = self.fields.get("caption") or first_of(CAPTION_KEYS, entry)
        (split_key,) = self.fields.get("split", ("split",))
        has_split = self.drawn or entry.get(split_key) is not None
        split = None if has_split else split_of_folder(photo)
        yield from self.entry_items(where, photo, entry, split, keys)


def find_metadata(photos: str) -> list[str]:
    """Returns the metadata files of a photo directory.

    Raises:
        UserError: there is none.
    """
    patterns = [
        FileSystems.join(glob.escape(photos), *filter(None, level.split("/")), name)
        for level in LEVELS
        for name in FILES
    ]
    with named_errors("list", photos, "--photos"):
        results = FileSystems.match(patterns)
    paths = sorted(file.path for result in results for file in result.metadata_list)
    if not paths:
        raise UserError(
            f"--photos: no {' or '.join(FILES)} in {photos} or two levels of folders "
            "below it; put it there, or name it with --captions"
        )
    return paths


def folder_below(path: str, photos: str) -> str:
    """Returns the folder of a metadata file, as a path from the photo directory."""
    folder, start = os.path.dirname(path), photos.rstrip("/")
    return folder[len(start) + 1 :] if folder.startswith(f"{start}/") else ""


def split_of_folder(photo: str) -> str | None:
    """Returns the split that a folder of a photo's path is named by.

    >>> split_of_folder("data/train/a.jpg"), split_of_folder("a/train.jpg")
    ('train', None)
    """
    folders = photo.lower().split("/")[:-1]
    return next((SPLIT_NAMES[name] for name in folders if name in SPLIT_NAMES), None)


def json_rows(path: str) -> Iterator[tuple[int, Any]]:
    """Yields (line, object, or ItemError of a line that is none)."""
    for number, line in read_lines(path, "--captions"):
        try:
            yield number, json.loads(decode_line(line))
        except ItemError as bad:
            yield number, bad
        except (ValueError, RecursionError) as error:
            detail = f"expected a JSON object; received {line[:80]!r} ({error})"
            yield number, ItemError("malformed_line", detail)


class Lines:
    """The lines of a file as text; `number` is that of the last one."""

    def __init__(self, path: str):
        self.lines, self.number = read_lines(path, "--captions"), 0

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        self.number, line = next(self.lines)
        return line.decode("utf-8", "surrogateescape") + "\n"


def csv_rows(path: str) -> Iterator[tuple[int, Any]]:
    """Yields (last line of a row, values by column, or ItemError of a wrong row).

    A quoted field may go over several lines.
    """
    lines = Lines(path)
    reader = csv.reader(lines, strict=True)
    header: list[str] = []
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield lines.number, ItemError("malformed_line", str(error))
            continue
        if not header:
            header = [name.strip() for name in row]
        elif len(row) == len(header):
            yield lines.number, dict(zip(header, row))
        else:
            detail = f"expected {len(header)} columns; received {shown(row)}"
            yield lines.number, ItemError("malformed_line", detail)
