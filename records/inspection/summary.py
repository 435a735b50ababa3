"""The summary of a record set, as data for `--json` and as tables."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from records.console import number_table, plain_console
from records.format.manifest import EncoderInfo, Manifest
from records.format.record_set import RecordSet
from records.format.split_summary import describe_splits, split_table
from records.inspection.samples import Sample

BAR = 50
SHORT = 12


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


def print_description(description: Mapping[str, Any]) -> None:
    """Prints the result of `describe`."""
    console = plain_console()
    console.print(overview(description))
    console.print(split_table(description["splits"]))
    console.print(in_and_out(description["in_and_out"]))
    for line in (*word_lines(description["words"]), *remarks(description)):
        console.print(line, soft_wrap=True)
    console.print("captions by length, <start> and <end> counted")
    for line in histogram(description["caption_lengths"]):
        console.print(line, no_wrap=True, crop=True)
    for split, photos in description["samples"].items():
        for line in sample_lines(split, photos) if photos else ():
            console.print(line, soft_wrap=True)


def overview(description: Mapping[str, Any]) -> Table:
    features, vocabulary = description["features"], description["vocabulary"]
    encoder = EncoderInfo(**description["encoder"])
    shape = " x ".join(map(str, features["shape"]))
    tokenizer = ", ".join(f"{k} {v}" for k, v in description["tokenizer"].items())
    table = Table(show_header=False, title=f"records in {description['directory']}")
    table.add_row("format", str(description["format"]))
    table.add_row("encoder", network(encoder))
    table.add_row("weights", f"{encoder.weights}, digest {encoder.digest[:SHORT]}")
    table.add_row(
        "features", f"{shape} {features['dtype']}, {features['bytes']} bytes a photo"
    )
    table.add_row("tokenizer", tokenizer)
    table.add_row(
        "vocabulary",
        f"{vocabulary['size']} tokens, "
        f"{vocabulary['out_of_vocabulary_rate']:.2%} of tokens outside it",
    )
    table.add_row("longest caption", f"{description['longest_caption']} tokens")
    table.add_row("photo formats", counts(description["photo_formats"]))
    return table


def network(encoder: EncoderInfo) -> str:
    parts = [
        encoder.name,
        encoder.signature and f"signature {encoder.signature}",
        place(encoder),
        encoder.pooling,
        f"{encoder.input_size} pixels",
        encoder.crops > 1 and f"{encoder.crops} crops",
        encoder.flip and "with mirror images",
    ]
    return ", ".join(filter(None, parts))


def place(encoder: EncoderInfo) -> str | None:
    """Returns the layer or output of the features; None for a SavedModel's only one."""
    if encoder.kind == "saved_model":
        return encoder.layer and f"output {encoder.layer}"
    return f"layer {encoder.layer}" if encoder.layer else "last layer"


def in_and_out(flow: Mapping[str, Mapping[str, Any]]) -> Table:
    """Returns a table of inputs, written and rejected by reason.

    Args:
        flow: as `describe_in_and_out` returns it.
    """
    table = number_table("", "photos", "captions", title="in = written + rejected")
    for name, *numbers in in_and_out_rows(flow):
        table.add_row(name, *map(str, numbers))
    return table


def in_and_out_rows(
    flow: Mapping[str, Mapping[str, Any]],
) -> Iterator[tuple[str, int, int]]:
    """Yields (what, photos, captions).

    Args:
        flow: as `describe_in_and_out` returns it.
    """
    photos, captions = flow["photos"], flow["captions"]
    for name in ("in", "written"):
        yield name, photos[name], captions[name]
    for reason in sorted({*photos["rejected"], *captions["rejected"]}):
        numbers = (what["rejected"].get(reason, 0) for what in (photos, captions))
        yield f"rejected: {reason}", *numbers


def word_lines(words: Mapping[str, Any]) -> Iterator[str]:
    """Yields lines about kept and dropped words.

    Args:
        words: as `describe_words` returns them.
    """
    if not words:
        return
    dropped = sum(part["count"] for part in words["dropped"].values())
    yield f"{words['in']} words in = {words['kept']} kept + {dropped} dropped"
    for reason, part in words["dropped"].items():
        examples = ", ".join(f"{word} ({n})" for word, n in part["examples"].items())
        yield f"  dropped: {reason} {part['count']}, most often {examples}"


def remarks(description: Mapping[str, Any]) -> Iterator[str]:
    """Yields remarks that suggest a mistake in the input."""
    if files := description["uncaptioned_files"]:
        yield f"{files} files of the photo directory are named by no caption or list"
    if description["equal_captions"]:
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


def sample_lines(split: str, photos: list[dict[str, Any]]) -> Iterator[str]:
    """Yields lines about sample records, to be printed without wrapping paths."""
    yield f"\nfrom {split}"
    for photo in photos:
        extremes = ", ".join(f"{k} {number(v)}" for k, v in photo["features"].items())
        yield f"\n  {photo['photo']}, record {photo['record']} of {photo['shard']}"
        yield f"  {photo_place(photo)}"
        yield f"  features {extremes}"
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


def number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.4g}"


def counts(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in numbers.items()) or "none"
