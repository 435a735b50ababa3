"""The summary of a record set, as data for `--json` and as tables."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from records.console import number_table, plain_console, short_digest
from records.format.manifest import EncoderInfo, Manifest
from records.format.record_set import RecordSet
from records.format.split_summary import describe_splits, split_table
from records.inspection.samples import Sample
from records.wording import as_text, counted

BAR = 50


def describe(
    record_set: RecordSet, samples: Mapping[str, Sequence[Sample]]
) -> dict[str, Any]:
    """Returns everything that `inspect` shows, with sample records of each split."""
    manifest = record_set.manifest
    numbers = manifest.statistics
    features = manifest.features
    return {
        "directory": record_set.directory,
        "format": manifest.format,
        "encoder": manifest.encoder.model_dump(),
        "features": {**features.model_dump(mode="json"), "bytes": features.bytes},
        "tokenizer": manifest.tokenizer.model_dump(),
        "vocabulary": describe_vocabulary(manifest),
        "splits": describe_splits(manifest),
        "in_and_out": describe_in_and_out(manifest),
        "words": describe_words(manifest),
        "photo_formats": numbers.photo_formats,
        "uncaptioned_files": numbers.uncaptioned_files,
        "equal_captions": numbers.equal_captions,
        "longest_caption": manifest.longest_caption,
        "caption_lengths": dict(sorted(numbers.caption_lengths.items())),
        "samples": {
            split: [sample.describe() for sample in held]
            for split, held in samples.items()
        },
    }


def describe_vocabulary(manifest: Manifest) -> dict[str, Any]:
    numbers = manifest.statistics
    return {
        "size": manifest.vocabulary_size,
        "sha256": manifest.vocabulary_sha256,
        "words_written": numbers.tokens,
        "out_of_vocabulary": numbers.out_of_vocabulary,
        "out_of_vocabulary_rate": numbers.out_of_vocabulary_rate,
    }


def describe_in_and_out(manifest: Manifest) -> dict[str, dict[str, Any]]:
    numbers = manifest.statistics
    return {
        "photos": {
            "in": numbers.photos_in,
            "written": numbers.photos_written,
            "rejected": numbers.rejected_photos,
        },
        "captions": {
            "in": numbers.captions_in,
            "written": numbers.captions_written,
            "rejected": numbers.rejected_captions,
        },
    }


def describe_words(manifest: Manifest) -> dict[str, Any]:
    """Returns words in, kept and dropped; empty if the manifest has no count."""
    numbers = manifest.statistics
    if not numbers.words_in:
        return {}
    return {
        "in": numbers.words_in,
        "kept": numbers.words_kept,
        "dropped": {
            reason: {"count": dropped.count, "examples": dict(dropped.examples)}
            for reason, dropped in numbers.dropped_words.items()
        },
    }


def print_description(
    record_set: RecordSet, samples: Mapping[str, Sequence[Sample]]
) -> None:
    """Prints what `inspect` shows, with sample records of each split."""
    manifest, console = record_set.manifest, plain_console()
    table = Table(show_header=False, title=f"records in {record_set.directory}")
    for name, value in facts(manifest).items():
        table.add_row(name, value)
    console.print(table)
    console.print(split_table(describe_splits(manifest)))
    console.print(in_and_out(manifest))
    for line in (*word_lines(manifest), *remarks(manifest)):
        console.print(line, soft_wrap=True)
    console.print("captions by length, <start> and <end> counted")
    for line in histogram(manifest.statistics.caption_lengths):
        console.print(line, no_wrap=True, crop=True)
    for split, held in samples.items():
        for line in sample_lines(split, held) if held else ():
            console.print(line, soft_wrap=True)


def facts(manifest: Manifest) -> dict[str, str]:
    """Returns names and values of facts about the records and their encoder."""
    features, encoder = manifest.features, manifest.encoder
    size = counted(manifest.vocabulary_size, "token")
    unknown = f"{manifest.statistics.out_of_vocabulary_rate:.2%}"
    return {
        "format": str(manifest.format),
        "encoder": network(encoder),
        "weights": f"{encoder.weights}, digest {short_digest(encoder.digest)}",
        "features": f"{' x '.join(map(str, features.shape))} {features.dtype}, "
        f"{counted(features.bytes, 'byte')} a photo",
        "tokenizer": as_text(manifest.tokenizer.model_dump()),
        "vocabulary": f"{size}, {unknown} of tokens outside it, SHA-256 "
        f"{short_digest(manifest.vocabulary_sha256)}",
        "longest caption": counted(manifest.longest_caption, "token"),
        "photo formats": counts(manifest.statistics.photo_formats),
    }


def network(encoder: EncoderInfo) -> str:
    parts = [
        encoder.name,
        encoder.signature and f"signature {encoder.signature}",
        place(encoder),
        encoder.pooling,
        counted(encoder.input_size, "pixel"),
        counted(encoder.crops, "crop") if encoder.crops > 1 else None,
        encoder.precision if encoder.precision != "float32" else None,
        "with mirror images" if encoder.flip else None,
    ]
    return ", ".join(filter(None, parts))


def place(encoder: EncoderInfo) -> str | None:
    """Returns the layer or output of the features; None for a SavedModel's only one."""
    if encoder.kind == "saved_model":
        return encoder.layer and f"output {encoder.layer}"
    return f"layer {encoder.layer}" if encoder.layer else "last layer"


def in_and_out(manifest: Manifest) -> Table:
    """Returns a table of inputs, written and rejected by reason."""
    table = number_table("", "photos", "captions", title="in = written + rejected")
    for row in in_and_out_rows(manifest):
        table.add_row(*map(str, row))
    return table


def in_and_out_rows(manifest: Manifest) -> Iterator[tuple[str, int, int]]:
    """Yields what became of inputs, and the number of photos and of captions."""
    numbers = manifest.statistics
    photos, captions = numbers.rejected_photos, numbers.rejected_captions
    yield "in", numbers.photos_in, numbers.captions_in
    yield "written", numbers.photos_written, numbers.captions_written
    for reason in sorted({*photos, *captions}):
        yield f"rejected: {reason}", photos.get(reason, 0), captions.get(reason, 0)


def word_lines(manifest: Manifest) -> Iterator[str]:
    """Yields lines about kept and dropped words; none if the manifest has no count."""
    numbers = manifest.statistics
    if not numbers.words_in:
        return
    dropped = sum(part.count for part in numbers.dropped_words.values())
    kept = f"{numbers.words_kept:,} kept + {dropped:,} dropped"
    yield f"{counted(numbers.words_in, 'word')} in = {kept}"
    for reason, part in numbers.dropped_words.items():
        examples = ", ".join(f"{word} ({n})" for word, n in part.examples)
        yield f"  dropped: {reason} {part.count}, most often {examples}"


def remarks(manifest: Manifest) -> Iterator[str]:
    """Yields remarks that suggest a mistake in the input."""
    if files := manifest.statistics.uncaptioned_files:
        yield f"files of the photo directory that no caption or list names: {files}"
    if manifest.statistics.equal_captions:
        yield "all training captions have the same tokens"


def histogram(lengths: Mapping[int, int]) -> Iterator[str]:
    r"""Yields a line per length, with its bar, gaps included.

    >>> print(*histogram({3: 1, 5: 2}), sep="\n")
      3        1 █████████████████████████
      4        0
      5        2 ██████████████████████████████████████████████████
    """
    for length in range(min(lengths, default=0), max(lengths, default=-1) + 1):
        number = lengths.get(length, 0)
        bar = "█" * math.ceil(BAR * number / max(lengths.values()))
        yield f"{length:3} {number:8} {bar}".rstrip()


def sample_lines(split: str, samples: Sequence[Sample]) -> Iterator[str]:
    """Yields lines about sample records, to be printed without wrapping paths."""
    yield f"\nfrom {split}"
    for photo in (sample.describe() for sample in samples):
        yield f"\n  {photo['photo']}, record {photo['record']} of {photo['shard']}"
        yield f"  {photo_place(photo)}"
        yield f"  features {as_text(extremes(photo['features']))}"
        for caption in photo["captions"]:
            yield from caption_lines(caption)


def photo_place(photo: Mapping[str, Any]) -> str:
    """Returns the photo's path, or a text if it has none."""
    if photo["path"]:
        return photo["path"] + " (changed since)" * photo["changed"]
    return "photo kept in the record" if photo["kept"] else "photo not found"


def caption_lines(caption: Mapping[str, Any]) -> Iterator[str]:
    """Yields a caption, its tokens, and its out-of-vocabulary tokens."""
    yield f"    {caption['text']}"
    yield f"      {caption['tokens']}"
    if caption["unknown"]:
        yield f"      out of vocabulary: {' '.join(caption['unknown'])}"


def extremes(features: Mapping[str, float | None]) -> dict[str, str]:
    """Returns the result of `samples.moments` in four digits."""
    return {
        name: "not finite" if value is None else f"{value:.4g}"
        for name, value in features.items()
    }


def counts(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in numbers.items()) or "none"
