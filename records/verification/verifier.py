"""Verifies that a record set is whole and lists all issues, not only the first."""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from records.console import short_digest
from records.errors import UserError
from records.format import manifest as manifest_module
from records.format import rejects, sharding
from records.format.manifest import BUILD_FOLDER, Manifest, load_content, load_manifest
from records.progress_line import ProgressLine, done_and_left
from records.storage.base import is_temporary
from records.storage.files import can_list, exists, file_digest, file_sizes
from records.text import vocabulary as vocabulary_module
from records.text.vocabulary import Vocabulary
from records.verification.feature_check import FeatureCheck, SampleRequest
from records.verification.record_checks import CaptionCheck
from records.verification.report import VerificationReport
from records.verification.shard_checks import CheckContext, Issue, ShardCheck, Totals

# Relative tolerance of moments, which are sums of doubles in a fixed order.
MOMENT_TOLERANCE = 1e-6


def verify(directory: str, request: SampleRequest | None = None) -> VerificationReport:
    """Reads every byte of a record set and compares all redundant information.

    >>> from records import verify
    >>> report = verify("data/records")
    >>> report.whole, report.totals.photos
    (True, 28)

    Args:
        directory: of the record set.
        request: photos to encode again and compare with their stored features.

    Raises:
        UserError: the manifest cannot be read, or the encoder or the directory of
            photos for the `request` is missing.
    """
    manifest, totals = load_manifest(directory), Totals()
    features = request and FeatureCheck(directory, manifest, request)
    vocabulary_issues = list(check_vocabulary(directory, manifest))
    # Record sets without a count of words were tokenized by an older rule.
    comparable = manifest.statistics.words_in and not vocabulary_issues
    captions = caption_check(directory, manifest) if comparable else None
    context = CheckContext(manifest, captions, features.wanted if features else {})
    issues = (
        *check_manifest(directory),
        *vocabulary_issues,
        *check_names(directory, manifest),
        *check_shards(directory, context, totals),
        *check_sums(manifest),
        *check_totals(manifest, totals, captions),
        *check_rejects(directory, manifest),
        *(features.problems(totals.wanted) if features else ()),
    )
    sample = features.sample if features else None
    return VerificationReport(directory, manifest, totals, issues, sample)


def check_manifest(directory: str) -> Iterator[Issue]:
    """Yields an issue if any field of the manifest was edited."""
    content = load_content(directory)
    stored_checksum = content.get(manifest_module.CHECKSUM)
    if stored_checksum != manifest_module.checksum(content):
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
    unknown, expected = manifest.tokenizer.oov == "unk", manifest.vocabulary_sha256
    rows = [
        ("SHA-256", short_digest(expected), short_digest(digest)),
        ("tokens", manifest.vocabulary_size, len(vocabulary)),
        ("an <unk> token", unknown, vocabulary.has_unknown),
    ]
    yield from differences(name, rows)


def caption_check(directory: str, manifest: Manifest) -> CaptionCheck:
    path = os.path.join(directory, vocabulary_module.FILE_NAME)
    return CaptionCheck(manifest.tokenizer, Vocabulary.load(path))


def check_names(directory: str, manifest: Manifest) -> Iterator[Issue]:
    """Yields an issue for each misnamed, unlisted or temporary file."""
    listed = set()
    for split, held in manifest.shards.items():
        for i, shard in enumerate(held):
            expected = sharding.shard_name(split, i, len(held))
            if shard.name != expected:
                what = f"lists a shard {shard.name!r} of {split}; expected {expected!r}"
                yield Issue(manifest_module.FILE_NAME, None, what)
            listed.add(shard.name)
    for name in file_sizes(directory) if can_list(directory) else ():
        if sharding.SHARD_NAME.fullmatch(name) and name not in listed:
            yield Issue(name, None, "a shard that the manifest does not list")
        elif is_temporary(name):
            yield Issue(name, None, "left by a write that broke off; remove it")
    if exists(os.path.join(directory, BUILD_FOLDER)):
        yield Issue(BUILD_FOLDER, None, "left by a build that broke off; remove it")


def check_shards(
    directory: str, context: CheckContext, totals: Totals
) -> Iterator[Issue]:
    """Yields the issues of all shards; adds what they hold to `totals`."""
    checks = [
        ShardCheck(directory, info, (i, len(shards)), context, totals)
        for shards in context.manifest.shards.values()
        for i, info in enumerate(shards)
    ]
    with ProgressLine(done_and_left) as line:
        for check in line.track(checks, description="reading shards"):
            yield from check.problems()


def check_sums(manifest: Manifest) -> Iterator[Issue]:
    """Yields an issue for each pair of sums in the manifest that differ."""
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


def check_totals(
    manifest: Manifest, totals: Totals, captions: CaptionCheck | None
) -> Iterator[Issue]:
    """Compares the manifest's statistics with the records, if all could be read."""
    if not totals.complete:
        return
    numbers = manifest.statistics
    # Older record sets do not state it.
    longest = totals.longest if numbers.longest_by_split else {}
    rows = [
        ("photos written", numbers.photos_written, totals.photos),
        ("captions written", numbers.captions_written, totals.captions),
        ("longest caption", manifest.longest_caption, max(totals.lengths, default=0)),
        *by_key("captions of length", numbers.caption_lengths, totals.lengths),
        *by_key("longest caption of split", numbers.longest_by_split, longest),
        *count_tokens(manifest, totals, captions),
        *count_formats(manifest, totals),
    ]
    yield from differences(manifest_module.FILE_NAME, rows)
    yield from check_moments(manifest, totals)


def count_tokens(
    manifest: Manifest, totals: Totals, captions: CaptionCheck | None
) -> list[tuple[str, int, int]]:
    """Returns rows of numbers of tokens, from captions tokenized again or from ids."""
    numbers = manifest.statistics
    if captions:
        return [
            ("tokens", numbers.tokens, captions.tokens),
            ("out of vocabulary", numbers.out_of_vocabulary, captions.unknown),
        ]
    dropped = numbers.out_of_vocabulary if manifest.tokenizer.oov == "drop" else 0
    return [("tokens with an id", numbers.tokens - dropped, totals.words)]


def count_formats(manifest: Manifest, totals: Totals) -> Iterator[tuple[str, int, int]]:
    """Yields rows of the formats of photos, if every record keeps its photo."""
    known = sum(count for kind, count in totals.formats.items() if kind)
    if known == totals.photos:
        formats = manifest.statistics.photo_formats
        yield from by_key("photos of format", formats, totals.formats)


def check_moments(manifest: Manifest, totals: Totals) -> Iterator[Issue]:
    """Compares mean and deviation of each channel, if there is a photo."""
    stated, sums = manifest.moments, totals.features
    if not sums.cells or not np.isfinite(sums.squares).all():
        return  # other issues name the records with infinite features
    counted = sums.moments()
    scale = np.maximum(np.abs(counted.mean), counted.deviation)
    for what in ("mean", "deviation"):
        values, expected = getattr(stated, what), getattr(counted, what)
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
    """Compares the lines of `rejects.jsonl` with the manifest's counts."""
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
    what: str, stated: Mapping, counted: Mapping
) -> Iterator[tuple[str, int, int]]:
    """Yields a row for each key of two mappings."""
    for key in sorted({*stated, *counted}):
        yield f"{what} {key}", stated.get(key, 0), counted.get(key, 0)


def differences(file: str, rows: Iterable[tuple[str, Any, Any]]) -> Iterator[Issue]:
    """Yields an issue for each row whose numbers differ.

    Args:
        file: that the issues are about.
        rows: (what is counted, number in the manifest, number that was counted).
    """
    for what, stated, counted in rows:
        if stated != counted:
            problem = f"{what}: the manifest says {stated}; found {counted}"
            yield Issue(file, None, problem)
