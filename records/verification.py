"""Proves that a record set is whole; collects every problem, not only the first."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from rich.console import Console
from rich.progress import track
from rich.table import Table

from records import manifest as manifest_module
from records import rejects, shards
from records import vocabulary as vocabulary_module
from records.console import plain_console
from records.errors import UserError
from records.files import file_digest
from records.inspection import by_split, describe_splits
from records.manifest import Manifest, load_manifest
from records.shard_checks import Found, Problem, ShardCheck
from records.vocabulary import Vocabulary

SHOWN = 50


@dataclass(frozen=True)
class Verdict:
    """What `verify` found.

    Attributes:
        directory: the record set.
        manifest: its manifest.
        found: what the records themselves hold.
        problems: all that does not fit; none in a whole record set.
    """

    directory: str
    manifest: Manifest
    found: Found
    problems: tuple[Problem, ...]

    @property
    def whole(self) -> bool:
        return not self.problems

    @property
    def shards(self) -> int:
        return sum(len(held) for held in self.manifest.shards.values())

    def summary(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "directory": self.directory,
            "whole": self.whole,
            "photos": self.found.photos,
            "captions": self.found.captions,
            "shards": self.shards,
            "problems": [problem._asdict() for problem in self.problems],
        }


def verify(directory: str) -> Verdict:
    """Reads every byte of a record set and compares all that is written twice.

    Raises:
        UserError: the manifest itself cannot be read.
    """
    manifest, found = load_manifest(directory), Found()
    problems = (
        *check_vocabulary(directory, manifest),
        *check_names(directory, manifest),
        *check_shards(directory, manifest, found),
        *check_sums(manifest),
        *check_found(manifest, found),
        *check_rejects(directory, manifest),
    )
    return Verdict(directory, manifest, found, problems)


def check_vocabulary(directory: str, manifest: Manifest) -> Iterator[Problem]:
    name = vocabulary_module.FILE_NAME
    path = os.path.join(directory, name)
    try:
        vocabulary, digest = Vocabulary.load(path), file_digest(path)
    except UserError as error:
        yield Problem(name, None, str(error))
        return
    unknown = manifest.tokenizer.oov == "unk"
    rows = [
        ("SHA-256", manifest.vocabulary_sha256, digest),
        ("tokens", manifest.vocabulary_size, len(vocabulary)),
        ("an <unk> token", unknown, vocabulary.has_unknown),
    ]
    yield from differences(name, rows)


def check_names(directory: str, manifest: Manifest) -> Iterator[Problem]:
    """Every split's shards bear the names of a whole split; no other file does."""
    listed = set()
    for split, held in manifest.shards.items():
        for i, shard in enumerate(held):
            expected = shards.shard_name(split, i, len(held))
            if shard.name != expected:
                what = f"lists a shard {shard.name!r} of {split}; expected {expected!r}"
                yield Problem(manifest_module.FILE_NAME, None, what)
            listed.add(shard.name)
    for name in sorted(tf.io.gfile.listdir(directory)):
        if shards.SHARD_NAME.fullmatch(name) and name not in listed:
            yield Problem(name, None, "a shard that the manifest does not list")


def check_shards(directory: str, manifest: Manifest, found: Found) -> Iterator[Problem]:
    checks = [
        ShardCheck(
            os.path.join(directory, info.name), info, (i, len(held)), manifest, found
        )
        for held in manifest.shards.values()
        for i, info in enumerate(held)
    ]
    for check in shown(checks):
        yield from check.problems()


def shown(checks: list[ShardCheck]) -> Iterable[ShardCheck]:
    """The same, with a progress line on standard error if that is a terminal."""
    return track(
        checks,
        description="shards",
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )


def check_sums(manifest: Manifest) -> Iterator[Problem]:
    """What the manifest says twice."""
    numbers, channels = manifest.statistics, manifest.features.shape[-1]
    photos, captions = numbers.photos_written, numbers.captions_written
    photos_held = sum(map(manifest.photos, manifest.shards))
    captions_held = sum(map(manifest.captions, manifest.shards))
    photos_out = photos + numbers.photos_rejected
    captions_out = captions + numbers.captions_rejected
    rows = [
        ("photos in all shards", photos, photos_held),
        ("photos of all formats", photos, sum(numbers.photo_formats.values())),
        ("photos in, written + rejected", numbers.photos_in, photos_out),
        ("captions in all shards", captions, captions_held),
        ("captions of all lengths", captions, sum(numbers.caption_lengths.values())),
        ("captions in, written + rejected", numbers.captions_in, captions_out),
        ("longest caption", manifest.longest_caption, numbers.longest_caption),
        ("feature means", channels, len(manifest.moments.mean)),
        ("feature deviations", channels, len(manifest.moments.deviation)),
    ]
    yield from differences(manifest_module.FILE_NAME, rows)


def check_found(manifest: Manifest, found: Found) -> Iterator[Problem]:
    """The manifest's statistics against the records, if all could be read."""
    if not found.complete:
        return
    numbers = manifest.statistics
    dropped = numbers.out_of_vocabulary if manifest.tokenizer.oov == "drop" else 0
    rows = [
        ("photos written", numbers.photos_written, found.photos),
        ("captions written", numbers.captions_written, found.captions),
        ("words with an id", numbers.tokens - dropped, found.words),
        ("longest caption", manifest.longest_caption, max(found.lengths, default=0)),
        *by_key("captions of length", numbers.caption_lengths, found.lengths),
    ]
    yield from differences(manifest_module.FILE_NAME, rows)


def check_rejects(directory: str, manifest: Manifest) -> Iterator[Problem]:
    """`rejects.jsonl` is there and its lines add up to the manifest's rejects."""
    try:
        photos, captions = rejects.count_rejects(directory)
    except UserError as error:
        yield Problem(rejects.FILE_NAME, None, str(error))
        return
    numbers = manifest.statistics
    rows = [
        *by_key("photos rejected as", numbers.rejected_photos, photos),
        *by_key("captions rejected as", numbers.rejected_captions, captions),
    ]
    yield from differences(rejects.FILE_NAME, rows)


def by_key(
    what: str, said: Mapping, counted: Mapping
) -> Iterator[tuple[str, int, int]]:
    for key in sorted({*said, *counted}):
        yield f"{what} {key}", said.get(key, 0), counted.get(key, 0)


def differences(file: str, rows: Iterable[tuple[str, Any, Any]]) -> Iterator[Problem]:
    """A problem for each (what, as the manifest says, as counted) that differs."""
    for what, said, counted in rows:
        if said != counted:
            yield Problem(
                file, None, f"{what}: the manifest says {said}; found {counted}"
            )


def print_verdict(verdict: Verdict) -> None:
    console = plain_console()
    console.print(by_split(describe_splits(verdict.manifest)))
    if verdict.whole:
        found = verdict.found
        console.print(
            f"whole: {found.photos} photos, {found.captions} captions in "
            f"{verdict.shards} shards"
        )
        return
    console.print(problem_table(verdict.problems[:SHOWN]))
    beyond = len(verdict.problems) - SHOWN
    if beyond > 0:
        console.print(f"... and {beyond} more; --json lists them all")
    number = len(verdict.problems)
    console.print(f"damaged: {number} problems in {verdict.directory}", soft_wrap=True)


def problem_table(problems: Iterable[Problem]) -> Table:
    table = Table("file", "record", "problem")
    for file, record, what in problems:
        table.add_row(file, "" if record is None else str(record), what)
    return table
