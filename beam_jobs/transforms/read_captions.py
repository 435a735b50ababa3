"""Writes the inputs' facts about photos, in blocks by partition.

    captions, splits ─▶ tokenize ─┐
    photo directory ──────────────┼─▶ facts ─▶ one file of blocks ─▶ (partition, Block)
    shards of --reuse ────────────┘

A fact is (photo id, kind, value). A hash of the id is the partition of a photo's facts,
so that the facts of all inputs meet there (`join_photos`). Facts are batched because
one Beam element per caption is slow and held in memory by the local runner.
"""

import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, get_args

import apache_beam as beam

from beam_jobs.build_job import Job
from beam_jobs.elements import (
    REJECTED,
    Caption,
    Item,
    Named,
    SourceFile,
    SplitAssignment,
)
from beam_jobs.io.beam_storage import FileDoFn
from beam_jobs.io.photo_files import list_photos
from beam_jobs.transforms.spill import Block, BlockFile, pack_captions
from beam_jobs.transforms.tokenize import TextCounts, split_captions
from records.errors import UserError
from records.format.rejects import Reject
from records.storage.photo_ids import base_name
from records.text.tokenizer import Tokenizer

# The kinds, each with its value.
CAPTIONS = "captions"  # as `pack_captions` gives them
SPLITS = "splits"  # name of a split
FILES = "files"  # SourceFile as a plain tuple; also under its name without folders
PLACES = "places"  # RecordLocation in an earlier record set, as a plain tuple
PhotoAttribute = tuple[str, str, Any]

# A step holds the text of one partition, and the runner one block of every partition
# for every shard: at a million photos both are some tens of megabytes.
PARTITIONS = 32
ITEMS = 2048  # tokenized at once
CHARACTERS = 1 << 20  # of captions tokenized at once: their words take 130 MB
FACTS = 1 << 15  # held until they are written
TEXT = 1 << 26  # characters in them, at most

# The output of (`photos`, `captions`, `words` or `words_kept`, how many).
INPUT_COUNT = "taken"
DROPPED = "dropped"  # the output of ((reason, word), how often)


class FactFile(BlockFile):
    """A file of facts, written as they come."""

    def __init__(self, output: str):
        super().__init__(output)
        self.waiting: dict[int, list[PhotoAttribute]] = defaultdict(list)
        self.facts = self.characters = 0

    def add(self, photo_id: str, kind: str, value: Any) -> None:
        partition = zlib.crc32(photo_id.encode()) % PARTITIONS
        self.waiting[partition].append((photo_id, kind, value))
        self.facts += 1
        self.characters += len(value) if isinstance(value, str) else 0
        if self.facts == FACTS or self.characters > TEXT:
            self.flush()

    def flush(self) -> None:
        for partition, facts in self.waiting.items():
            self.write(partition, facts)
        self.waiting.clear()
        self.facts = self.characters = 0

    def close(self) -> list[tuple[int, Block]]:
        """Completes the file; returns (partition, Block) of all facts."""
        self.flush()
        return super().close()


class WriteFacts(FileDoFn):
    """Anything -> (partition, Block) of the facts that a function finds in it.

    Args:
        output: directory of the job's output.
        facts_of: the function; importable.
    """

    def __init__(
        self, output: str, facts_of: Callable[[Any], Iterable[PhotoAttribute]]
    ):
        self.output, self.facts_of = output, facts_of

    def process(self, element: Any):
        with FactFile(self.output) as file:
            for fact in self.facts_of(element):
                file.add(*fact)
            yield from file.close()


class ReadText(FileDoFn):
    """An input of the source -> (partition, Block).

    Also outputs `rejected`, `taken` and `dropped`.

    One step reads an input from end to end, so that a reject can name its line. It
    holds `FACTS` facts and `TEXT` characters of them in memory, at most.
    """

    def __init__(self, job: Job):
        self.source, self.output = job.source, job.output
        self.settings = job.config.tokenizer

    def setup(self) -> None:
        super().setup()
        self.tokenizer = Tokenizer(self.settings)

    def process(self, part: Any):
        items, counts = self.source.items(part), TextCounts()
        with FactFile(self.output) as file:
            for some in batched_by_text(items):
                count_taken(some, counts.taken)
                rejects = add_facts(some, file, self.tokenizer, counts)
                yield from tagged(REJECTED, rejects)
            yield from file.close()
        yield from tagged(INPUT_COUNT, counts.taken.items())
        yield from tagged(DROPPED, counts.dropped.items())


def batched_by_text(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Yields lists of at most `ITEMS` items and `CHARACTERS`, or of one longer text."""
    batch: list[Item] = []
    characters = 0
    for item in items:
        length = len(item.text) if isinstance(item, Caption) else 0
        if batch and (len(batch) == ITEMS or characters + length > CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(item)
        characters += length
    if batch:
        yield batch


def tagged(tag: str, values: Iterable[Any]) -> Iterator[beam.pvalue.TaggedOutput]:
    """Yields values for the output of a tag."""
    for value in values:
        yield beam.pvalue.TaggedOutput(tag, value)


def count_taken(items: Sequence[Item], taken: Counter[str]) -> None:
    """Counts captions, and photos that cannot be named; others count at the join."""
    rejects = [item for item in items if isinstance(item, Reject)]
    taken["photos"] += sum(reject.what == "photo" for reject in rejects)
    taken["captions"] += sum(reject.captions for reject in rejects)
    taken["captions"] += sum(isinstance(item, Caption) for item in items)


def add_facts(
    items: Sequence[Item], file: FactFile, tokenizer: Tokenizer, counts: TextCounts
) -> list[Reject]:
    """Adds the facts of a source's items; returns the rejects."""
    by_type: dict[type, list[Any]] = defaultdict(list)
    for item in items:
        by_type[type(item)].append(item)
    refuse_unknown(by_type)
    for photo_id, split in by_type[SplitAssignment]:
        file.add(photo_id, SPLITS, split)
    for photo in by_type[SourceFile]:
        file.add(photo.photo_id, FILES, tuple(photo))
    captions, rejects = split_captions(by_type[Caption], tokenizer, counts)
    for (photo_id,) in by_type[Named]:
        captions.setdefault(photo_id, [])
    for photo_id, of_photo in captions.items():
        file.add(photo_id, CAPTIONS, pack_captions(of_photo))
    return by_type[Reject] + rejects


def refuse_unknown(by_type: Mapping[type, Sequence[Any]]) -> None:
    """Refuses what a source may not yield: nothing is dropped in silence.

    Raises:
        UserError: shows the first such item.
    """
    for unknown in by_type.keys() - set(get_args(Item)):
        expected = ", ".join(kind.__name__ for kind in get_args(Item))
        raise UserError(
            f"the source yielded {by_type[unknown][0]!r}; expected one of {expected}, "
            "of the package beam_jobs"
        )


def file_facts(directory: str) -> Iterator[PhotoAttribute]:
    """Yields the files of a photo directory, for the join.

    A source may name photos without their folders, so a file in a folder is listed
    under its name alone as well.
    """
    for file in list_photos(directory):
        yield file.photo_id, FILES, tuple(file)
        name = base_name(file.photo_id)
        if name != file.photo_id:
            yield name, FILES, tuple(file)
