"""What a record set holds: as data for `--json`, and as tables for people."""

import itertools
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from rich.table import Table

from records.console import number_table, plain_console
from records.manifest import EncoderInfo, Manifest
from records.reader import RecordSet, read_shard
from records.schema import PhotoRecord, decode
from records.shards import SPLITS
from records.vocabulary import Vocabulary

BAR = 50
SHORT = 12


def describe(record_set: RecordSet, limit: int) -> dict[str, Any]:
    """All that `inspect` shows, with `limit` sample photos of each split."""
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
        "photo_formats": numbers.photo_formats,
        "longest_caption": manifest.longest_caption,
        "caption_lengths": dict(sorted(numbers.caption_lengths.items())),
        "samples": {
            split: list(samples(record_set, split, limit))
            for split in in_order(manifest.shards)
            if manifest.photos(split)
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


def describe_splits(manifest: Manifest) -> dict[str, dict[str, int]]:
    return {
        split: {
            "photos": manifest.photos(split),
            "captions": manifest.captions(split),
            "shards": len(manifest.shards[split]),
            "bytes": sum(shard.bytes for shard in manifest.shards[split]),
        }
        for split in in_order(manifest.shards)
    }


def in_order(splits: Iterable[str]) -> list[str]:
    """train, dev, test: `dataset.json` has them by the alphabet."""
    return sorted(splits, key=lambda split: (*SPLITS, split).index(split))


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


def samples(record_set: RecordSet, split: str, limit: int) -> Iterator[dict[str, Any]]:
    """The first `limit` photos of a split, in the order they stand in its shards."""
    paths = record_set.shard_paths(split)
    serialized = itertools.chain.from_iterable(map(read_shard, paths))
    photos = record_set.manifest.sources.get("photos", "")
    for one in itertools.islice(serialized, limit):
        record = decode(one, record_set.manifest.features)
        yield describe_record(record, record_set.vocabulary, photos)


def describe_record(
    record: PhotoRecord, vocabulary: Vocabulary, photos: str
) -> dict[str, Any]:
    return {
        "photo": record.photo_id,
        "path": os.path.join(photos, record.photo_id),
        "sha256": record.photo_sha256.hex(),
        "features": moments(record.features),
        "captions": [
            {"text": text, "tokens": vocabulary.decode(ids)}
            for text, ids in zip(record.captions, record.ids)
        ],
    }


def moments(features: np.ndarray) -> dict[str, float | None]:
    """Minimum, mean and maximum; None, which JSON can say, for what is not finite."""
    exact = features.astype(np.float64)
    found = {"min": exact.min(), "mean": exact.mean(), "max": exact.max()}
    return {name: float(x) if math.isfinite(x) else None for name, x in found.items()}


def print_description(description: Mapping[str, Any]) -> None:
    """Prints what `describe` returned."""
    console = plain_console()
    console.print(overview(description))
    console.print(by_split(description["splits"]))
    console.print(in_and_out(description["in_and_out"]))
    console.print("captions by length, <start> and <end> counted")
    for line in histogram(description["caption_lengths"]):
        console.print(line, no_wrap=True, crop=True)
    for split, photos in description["samples"].items():
        if photos:
            console.print(sample_table(split, photos))


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
        f"{vocabulary['out_of_vocabulary_rate']:.2%} of words outside it",
    )
    table.add_row("longest caption", f"{description['longest_caption']} tokens")
    table.add_row("photo formats", counts(description["photo_formats"]))
    return table


def network(encoder: EncoderInfo) -> str:
    layer = f"layer {encoder.layer}" if encoder.layer else "last layer"
    return f"{encoder.name}, {layer}, {encoder.pooling}, {encoder.input_size} pixels"


def by_split(splits: Mapping[str, Mapping[str, int]]) -> Table:
    """Photos, captions, shards and MiB, as `describe_splits` gives them."""
    table = number_table("split", "photos", "captions", "shards", "MiB")
    for split, held in splits.items():
        numbers = [str(held[name]) for name in ("photos", "captions", "shards")]
        table.add_row(split, *numbers, f"{held['bytes'] / 2**20:.1f}")
    return table


def in_and_out(flow: Mapping[str, Mapping[str, Any]]) -> Table:
    """In, written and rejected by reason, as `describe_in_and_out` gives them."""
    table = number_table("", "photos", "captions", title="in = written + rejected")
    photos, captions = flow["photos"], flow["captions"]
    for name in ("in", "written"):
        table.add_row(name, str(photos[name]), str(captions[name]))
    for reason in sorted({*photos["rejected"], *captions["rejected"]}):
        numbers = [what["rejected"].get(reason, 0) for what in (photos, captions)]
        table.add_row(f"rejected: {reason}", *map(str, numbers))
    return table


def histogram(lengths: Mapping[int, int]) -> Iterator[str]:
    """One line per length, gaps included.

    >>> print(*histogram({3: 1, 5: 2}), sep="\\n")
      3        1 █████████████████████████
      4        0
      5        2 ██████████████████████████████████████████████████
    """
    for length in range(min(lengths, default=0), max(lengths, default=-1) + 1):
        number = lengths.get(length, 0)
        bar = "█" * math.ceil(BAR * number / max(lengths.values()))
        yield f"{length:3} {number:8} {bar}".rstrip()


def sample_table(split: str, photos: list[dict[str, Any]]) -> Table:
    table = Table("photo", "captions, and their tokens", title=f"from {split}")
    for photo in photos:
        found = " / ".join(number(value) for value in photo["features"].values())
        left = f"{photo['photo']}\n{photo['path']}\nfeatures min / mean / max\n{found}"
        right = "\n".join(f"{c['text']}\n  {c['tokens']}" for c in photo["captions"])
        table.add_row(left, right, end_section=True)
    return table


def number(value: float | None) -> str:
    return "not finite" if value is None else f"{value:.4g}"


def counts(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in numbers.items()) or "none"
