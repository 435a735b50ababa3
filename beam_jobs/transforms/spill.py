"""Passes text between two steps of a job in files beside the output.

    .build/text/*   files of blocks; gone when the output is whole or a next job begins

A runner holds what it groups; the one in this process holds it in memory. So lists of
facts and photos are written, many to a file, and only the places of these blocks are
elements: what a runner holds does not grow with the photos. A file has its name only
when it is whole, and no two tries of a step write to the same name.

A list is written as JSON. So a process that can write to the output directory can put
data into a job, but no code. Tuples are read as lists.

A photo's captions are packed: its five captions and their words are some 5 KB of
objects, and 1 KB of JSON. Steps that do not need them leave them packed.
"""

import itertools
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from beam_jobs.elements import Caption, Photo, RecordLocation, SourceFile
from beam_jobs.io.output_directory import text_folder
from records.errors import UserError
from records.storage.files import make_directory, named_errors, new_file, open_file

BUFFER = 1 << 13  # most blocks are small, and what is read beyond one is not used

Key = TypeVar("Key")
AnyFile = TypeVar("AnyFile", bound="BlockFile")


class PackedPhoto(NamedTuple):
    """A Photo whose captions are packed."""

    photo_id: str
    split: str
    file: SourceFile
    captions: str
    earlier: RecordLocation | None = None


class Block(NamedTuple):
    """The location of a list: file, first byte, number of bytes."""

    path: str
    offset: int
    size: int


class BlockFile:
    """A new file of blocks; it exists, complete, after `close`.

    Used as a context manager it leaves nothing when the body ends without `close`.

    Args:
        output: directory of the job's output.

    Raises:
        UserError: the file cannot be written (no space, no permission).
    """

    def __init__(self, output: str):
        folder = text_folder(output)
        self.path, self.size = os.path.join(folder, uuid.uuid4().hex), 0
        self.written: list[tuple[Any, Block]] = []
        with named_errors("write", self.path):
            make_directory(folder)
            self.file = new_file(self.path)

    def write(self, key: Any, things: list) -> None:
        content = json.dumps(things, separators=(",", ":")).encode()
        with named_errors("write", self.path):
            self.file.write(content)
        self.written.append((key, Block(self.path, self.size, len(content))))
        self.size += len(content)

    def close(self) -> list[tuple[Any, Block]]:
        """Completes the file; returns the keys with their blocks."""
        with named_errors("write", self.path):
            self.file.finish()
        return self.written

    def __enter__(self: AnyFile) -> AnyFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.discard()


def write_blocks(output: str, lists: Mapping[Key, list]) -> list[tuple[Key, Block]]:
    """Writes lists to one file; returns their keys with the blocks."""
    with BlockFile(output) as file:
        for key, things in lists.items():
            file.write(key, things)
        return file.close()


def read_blocks(blocks: Iterable[Block]) -> Iterator[Any]:
    """Yields what the lists hold, one list in memory at a time.

    Raises:
        UserError: a file cannot be read, or does not hold what was written.
    """
    for path, in_file in itertools.groupby(sorted(blocks), lambda block: block.path):
        with named_errors("read", path), open_file(path, BUFFER) as file:
            for block in in_file:
                file.seek(block.offset)
                yield from parse_block(file.read(block.size), block)


def parse_block(content: bytes, block: Block) -> list:
    try:
        things = json.loads(content)
    except (ValueError, RecursionError):
        things = None
    if not isinstance(things, list):
        raise UserError(
            f"{block.path} is damaged: no JSON array in the {block.size} bytes from "
            f"byte {block.offset}. Run the same command again"
        )
    return things


def pack_captions(captions: Sequence[Caption]) -> str:
    """Returns JSON for `unpack_captions` in the same job; not a form to keep."""
    return json.dumps(captions, separators=(",", ":"))


def unpack_captions(packed: str) -> list[Caption]:
    return [
        Caption(photo_id, number, where, text, tuple(words), tuple(tokens))
        for photo_id, number, where, text, words, tokens in json.loads(packed)
    ]


def unpack_photo(packed: Sequence) -> Photo:
    """Returns a PackedPhoto, as it is read from a block, with its captions."""
    photo_id, split, file, captions, place = packed
    return Photo(
        photo_id,
        split,
        SourceFile(*file),
        tuple(unpack_captions(captions)),
        RecordLocation(*place) if place else None,
    )
