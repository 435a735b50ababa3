"""Draws a record set as one HTML page without other files (`inspect --html`)."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from records.format.manifest import Manifest
from records.format.record_set import RecordSet
from records.format.sharding import in_order
from records.format.split_summary import describe_splits
from records.html import charts
from records.html.images import EmbeddedPhoto, embed_photo
from records.html.page import Page
from records.inspection import summary
from records.inspection.samples import Sample, Token, moments
from records.inspection.word_statistics import WordCounts, count_words, reject_examples
from records.storage.files import write_text
from records.wording import mebibytes

PAGE = Page("records.inspection", "page.html", styles=("page.css",))
THUMBNAIL_SIDE = 320
FREQUENT = 24


@dataclass(frozen=True)
class Card:
    """A sample record as the page shows it.

    Attributes:
        sample: the record.
        photo: None if it is not found or unreadable.
        captions: text of each caption, and its tokens.
        extremes: minimum, mean and maximum of the features.
        strip: image of the features.
        cells: image of the cells of a grid; None for other features.
    """

    sample: Sample
    photo: EmbeddedPhoto | None
    captions: list[tuple[str, tuple[Token, ...]]]
    extremes: dict[str, str]
    strip: str
    cells: str | None


def write_page(
    record_set: RecordSet, samples: Mapping[str, Sequence[Sample]], path: str
) -> None:
    """Draws a record set with samples of each split, and writes the page.

    Raises:
        UserError: a record is damaged, or the page cannot be written.
    """
    write_text(path, draw(record_set, samples))


def draw(record_set: RecordSet, samples: Mapping[str, Sequence[Sample]]) -> str:
    manifest, words = record_set.manifest, count_words(record_set)
    # Train, where there is one.
    counted_split, counts = next(iter(words.items()), ("", WordCounts()))
    return PAGE.render(
        title=record_set.directory,
        manifest=manifest,
        splits=split_rows(manifest, words),
        flow=summary.in_and_out_rows(manifest),
        rejects=dict(sorted(reject_examples(record_set.directory).items())),
        dropped=list(summary.word_lines(manifest)),
        lengths=charts.histogram(manifest.statistics.caption_lengths),
        counted_split=counted_split,
        counts=counts,
        words=most_frequent(counts.words),
        unknown=most_frequent(counts.unknown),
        shards={split: manifest.shards[split] for split in in_order(manifest.shards)},
        facts=facts(manifest),
        configuration=json.dumps(manifest.configuration, indent=1),
        sections=[
            (split, len(held), manifest.photos(split), cards(held, manifest))
            for split, held in samples.items()
            if held
        ],
    )


def split_rows(
    manifest: Manifest, words: Mapping[str, WordCounts]
) -> Iterator[tuple[str | int, ...]]:
    for split, numbers in describe_splits(manifest).items():
        yield (
            split,
            *(numbers[name] for name in ("photos", "captions", "shards")),
            mebibytes(numbers["bytes"]),
            f"{words[split].unknown_rate:.2%}" if split in words else "\N{EN DASH}",
        )


def most_frequent(words: Counter[str]) -> list[tuple[str, int]]:
    """Returns the most frequent words with their counts, ties by word."""
    return sorted(words.items(), key=lambda item: (-item[1], item[0]))[:FREQUENT]


def facts(manifest: Manifest) -> dict[str, Any]:
    """Returns names and values of facts about the records and their encoder."""
    moments, statistics = manifest.moments, manifest.statistics
    constant = sum(deviation == 0 for deviation in moments.deviation)
    return {
        **summary.facts(manifest),
        "pixels": manifest.encoder.preprocessing,
        "the same for all photos": f"{constant:,} of {len(moments.mean):,} features",
        "files without a caption": f"{statistics.uncaptioned_files:,}",
        "training captions": "all the same"
        if statistics.equal_captions
        else "not all the same",
        **{
            key if key == "source" else f"{key} from": value
            for key, value in manifest.sources.items()
        },
    }


def cards(samples: Sequence[Sample], manifest: Manifest) -> Iterator[Card]:
    for sample in samples:
        record = sample.record
        yield Card(
            sample,
            embed_photo(sample.photo or b"", THUMBNAIL_SIDE),
            list(zip(record.captions, sample.tokens)),
            summary.extremes(moments(record.features)),
            charts.feature_strip(record.features, manifest.moments),
            charts.cell_map(record.features) if record.features.ndim == 3 else None,
        )
