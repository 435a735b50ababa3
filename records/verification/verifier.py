"""Proves that a record set is whole; collects every problem, not only the first."""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from records.errors import UserError
from records.format import manifest as manifest_module
from records.format import rejects, sharding
from records.format.manifest import Manifest, Statistics, load_content, load_manifest
from records.storage.files import exists, file_digest, file_sizes
from records.text import vocabulary as vocabulary_module
from records.text.vocabulary import Vocabulary
from records.verification.feature_check import FeatureCheck, SampleRequest
from records.verification.record_checks import CaptionCheck
from records.verification.report import VerificationReport
from records.verification.shard_checks import (
    SHORT,
    CheckContext,
    Issue,
    ShardCheck,
    Totals,
)

# What a build or a write that broke off leaves behind.
BUILD_FOLDER = ".build"
TEMPORARY = re.compile(r"\..+\.tmp")
# Of moments, which are sums of doubles in a fixed order.
MOMENT_TOLERANCE = 1e-6


def verify(directory: str, wish: SampleRequest | None = None) -> VerificationReport:
    """Reads every byte of a record set and compares all that is written twice.

    Args:
        directory: of the record set.
        wish: photos to be encoded again, and compared with their features.

    Raises:
        UserError: the manifest itself cannot be read, or there is no encoder or no
            directory of photos for the `wish`.
    """
    manifest, found = load_manifest(directory), Totals()
    encoding = wish and FeatureCheck(directory, manifest, wish)
    of_vocabulary = list(check_vocabulary(directory, manifest))
    # Earlier versions counted no words, and took other letters for a word's.
    can = manifest.statistics.words_in and not of_vocabulary
    captions = caption_check(directory, manifest) if can else None
    expected = CheckContext(manifest, captions, encoding.wanted if encoding else {})
    problems = (
        *check_manifest(directory),
        *of_vocabulary,
        *check_names(directory, manifest),
        *check_shards(directory, expected, found),
        *check_sums(manifest),
        *check_found(manifest, found, captions),
        *check_rejects(directory, manifest),
        *(encoding.problems(found.wanted) if encoding else ()),
    )
    sample = encoding and encoding.sample
    return VerificationReport(directory, manifest, found, problems, sample)


def check_manifest(directory: str) -> Iterator[Issue]:
    """An edit shows, whatever field it is in."""
    content = load_content(directory)
    said = content.get(manifest_module.CHECKSUM)
    if said != manifest_module.checksum(content):
        what = "was changed after the build: its fields do not fit its checksum"
        yield Issue(manifest_module.FILE_NAME, None, what)


def check_vocabulary(directory: str, manifest: Manifest) -> Iterator[Issue]:
    name = vocabulary_module.FILE_NAME
    path = os.path.join(directory, name)
    try:
        vocabulary, digest = Vocabulary.load(path), file_digest(path)
    except UserError as error:
        yield Issue(name, None, str(error))
        return
    unknown, said = manifest.tokenizer.oov == "unk", manifest.vocabulary_sha256
    rows = [
        ("SHA-256", f"{said[:SHORT]}…", f"{digest[:SHORT]}…"),
        ("tokens", manifest.vocabulary_size, len(vocabulary)),
        ("an <unk> token", unknown, vocabulary.has_unknown),
    ]
    yield from differences(name, rows)


def caption_check(directory: str, manifest: Manifest) -> CaptionCheck:
    path = os.path.join(directory, vocabulary_module.FILE_NAME)
    return CaptionCheck(manifest.tokenizer, Vocabulary.load(path))


def check_names(directory: str, manifest: Manifest) -> Iterator[Issue]:
    """Every split's shards bear the names of a whole split; no other file does."""
    listed = set()
    for split, held in manifest.shards.items():
        for i, shard in enumerate(held):
            expected = sharding.shard_name(split, i, len(held))
            if shard.name != expected:
                what = f"lists a shard {shard.name!r} of {split}; expected {expected!r}"
                yield Issue(manifest_module.FILE_NAME, None, what)
            listed.add(shard.name)
    for name in file_sizes(directory):
        if sharding.SHARD_NAME.fullmatch(name) and name not in listed:
            yield Issue(name, None, "a shard that the manifest does not list")
        elif TEMPORARY.fullmatch(name):
            yield Issue(name, None, "left by a write that broke off; remove it")
    if exists(os.path.join(directory, BUILD_FOLDER)):
        yield Issue(BUILD_FOLDER, None, "left by a build that broke off; remove it")


def check_shards(
    directory: str, expected: CheckContext, found: Totals
) -> Iterator[Issue]:
    checks = [
        ShardCheck(directory, info, (i, len(held)), expected, found)
        for held in expected.manifest.shards.values()
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


def check_sums(manifest: Manifest) -> Iterator[Issue]:
    """What the manifest says twice."""
    numbers = manifest.statistics
    photos, captions = numbers.photos_written, numbers.captions_written
    photos_held = sum(map(manifest.photos, manifest.shards))
    captions_held = sum(map(manifest.captions, manifest.shards))
    photos_out = photos + numbers.photos_rejected
    captions_out = captions + numbers.captions_rejected
    words_out = numbers.words_kept + numbers.words_dropped
    rows = [
        ("photos in all shards", photos, photos_held),
        ("photos of all formats", photos, sum(numbers.photo_formats.values())),
        ("photos in, written + rejected", numbers.photos_in, photos_out),
        ("captions in all shards", captions, captions_held),
        ("captions of all lengths", captions, sum(numbers.caption_lengths.values())),
        ("captions in, written + rejected", numbers.captions_in, captions_out),
        ("words in, kept + dropped", numbers.words_in, words_out),
        ("longest caption", manifest.longest_caption, numbers.longest_caption),
    ]
    yield from differences(manifest_module.FILE_NAME, rows)


def check_found(
    manifest: Manifest, found: Totals, captions: CaptionCheck | None
) -> Iterator[Issue]:
    """The manifest's statistics against the records, if all could be read."""
    if not found.complete:
        return
    numbers = manifest.statistics
    rows = [
        ("photos written", numbers.photos_written, found.photos),
        ("captions written", numbers.captions_written, found.captions),
        ("longest caption", manifest.longest_caption, max(found.lengths, default=0)),
        *by_key("captions of length", numbers.caption_lengths, found.lengths),
        *longest_by_split(numbers, found),
        *count_tokens(manifest, found, captions),
        *count_formats(manifest, found),
    ]
    yield from differences(manifest_module.FILE_NAME, rows)
    yield from check_moments(manifest, found)


def longest_by_split(
    numbers: Statistics, found: Totals
) -> Iterator[tuple[str, int, int]]:
    """Yields the longest captions, where the manifest says them by split."""
    if numbers.longest_by_split:
        said = numbers.longest_by_split
        yield from by_key("longest caption of split", said, found.longest)


def count_tokens(
    manifest: Manifest, found: Totals, captions: CaptionCheck | None
) -> list[tuple[str, int, int]]:
    numbers = manifest.statistics
    if captions:
        return [
            ("tokens", numbers.tokens, captions.tokens),
            ("out of vocabulary", numbers.out_of_vocabulary, captions.unknown),
        ]
    dropped = numbers.out_of_vocabulary if manifest.tokenizer.oov == "drop" else 0
    return [("tokens with an id", numbers.tokens - dropped, found.words)]


def count_formats(manifest: Manifest, found: Totals) -> Iterator[tuple[str, int, int]]:
    """Formats of photos, where every record keeps its photo."""
    known = sum(count for kind, count in found.formats.items() if kind)
    if known == found.photos:
        formats = manifest.statistics.photo_formats
        yield from by_key("photos of format", formats, found.formats)


def check_moments(manifest: Manifest, found: Totals) -> Iterator[Issue]:
    """Mean and deviation of each channel, if there is a photo."""
    said, sums = manifest.moments, found.features
    if not sums.cells or not np.isfinite(sums.squares).all():
        return  # the records that are to blame are named
    counted = sums.moments()
    scale = np.maximum(np.abs(counted.mean), counted.deviation)
    for what in ("mean", "deviation"):
        values, expected = getattr(said, what), getattr(counted, what)
        apart = np.abs(np.subtract(values, expected))
        channels = np.flatnonzero(~(apart <= MOMENT_TOLERANCE * scale))
        if channels.size:
            first = channels[0]
            yield Issue(
                manifest_module.FILE_NAME,
                None,
                f"{what} of feature {first}: the manifest says {values[first]:.6g}; "
                f"found {expected[first]:.6g}; {channels.size} of {len(values)} differ",
            )


def check_rejects(directory: str, manifest: Manifest) -> Iterator[Issue]:
    """`rejects.jsonl` is there and its lines add up to the manifest's rejects."""
    try:
        photos, captions = rejects.count_rejects(directory)
    except UserError as error:
        yield Issue(rejects.FILE_NAME, None, str(error))
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


def differences(file: str, rows: Iterable[tuple[str, Any, Any]]) -> Iterator[Issue]:
    """A problem for each (what, as the manifest says, as counted) that differs."""
    for what, said, counted in rows:
        if said != counted:
            yield Issue(
                file, None, f"{what}: the manifest says {said}; found {counted}"
            )
