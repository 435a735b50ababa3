"""Draws a record set as one HTML page without other files (`inspect --html`)."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources
from string import Template
from typing import Any

from records.format.manifest import Manifest
from records.format.record_set import RecordSet
from records.format.rejects import Reject
from records.format.sharding import in_order
from records.format.split_summary import describe_splits
from records.html import charts
from records.html.images import Unreadable, photo_url, thumbnail
from records.html.theme import stylesheet
from records.inspection.samples import Sample, Token
from records.inspection.summary import (
    counts,
    describe_in_and_out,
    describe_words,
    in_and_out_rows,
    network,
    number,
    word_lines,
)
from records.inspection.word_statistics import WordCounts, count_words, reject_examples
from records.storage.files import write_text

THUMBNAIL_SIDE = 320
FREQUENT = 24
SHORT = 16


def write_page(
    record_set: RecordSet, samples: Mapping[str, Sequence[Sample]], path: str
) -> None:
    """Draws a record set with samples of each split, and writes the page.

    Raises:
        UserError: Pillow is not installed, a record is damaged, or the page cannot be
            written.
    """
    write_text(path, draw(record_set, samples))


def draw(record_set: RecordSet, samples: Mapping[str, Sequence[Sample]]) -> str:
    manifest, words = record_set.manifest, count_words(record_set)
    first = next(iter(words.values()), WordCounts())  # train, where there is one
    examples = reject_examples(record_set.directory)
    return load_template("page").substitute(
        stylesheet=stylesheet(),
        title=escape(record_set.directory),
        lede=lede(manifest),
        splits=split_rows(manifest, words),
        in_and_out=flow_rows(manifest),
        examples=example_list(examples),
        dropped=dropped_list(manifest),
        lengths=charts.length_histogram(manifest.statistics.caption_lengths),
        longest=manifest.longest_caption,
        words=word_bars(first.words),
        words_note=words_note(first, next(iter(words), "")),
        unknown=word_bars(first.unknown) or "<p>None.</p>",
        shards=shard_rows(manifest),
        facts=fact_rows(facts(manifest)),
        configuration=escape(json.dumps(manifest.configuration, indent=1)),
        sections="".join(
            section(split, held, manifest) for split, held in samples.items() if held
        ),
    )


def load_template(name: str) -> Template:
    """Returns the template of the page, or of a card on it."""
    file = resources.files(__package__).joinpath("page.html")
    card, page = file.read_text(encoding="utf-8").split("<!-- end of the card -->\n")
    return Template({"card": card, "page": page}[name])


def lede(manifest: Manifest) -> str:
    numbers = manifest.statistics
    return (
        f"<b>{numbers.photos_written:,}</b> photos, "
        f"<b>{numbers.captions_written:,}</b> captions, a vocabulary of "
        f"<b>{manifest.vocabulary_size:,}</b> tokens; "
        f"<b>{numbers.out_of_vocabulary_rate:.2%}</b> of the captions' "
        f"{numbers.tokens:,} are not in it. "
        f"<b>{numbers.photos_rejected:,}</b> photos were left out."
    )


def split_rows(manifest: Manifest, words: Mapping[str, WordCounts]) -> str:
    rows = ""
    for split, held in describe_splits(manifest).items():
        outside = f"{words[split].unknown_rate:.2%}" if split in words else "&ndash;"
        rows += table_row(
            split,
            f"{held['photos']:,}",
            f"{held['captions']:,}",
            f"{held['shards']:,}",
            f"{held['bytes'] / 2**20:,.1f}",
            outside,
        )
    return rows


def flow_rows(manifest: Manifest) -> str:
    return "".join(
        table_row(name, f"{photos:,}", f"{captions:,}")
        for name, photos, captions in in_and_out_rows(describe_in_and_out(manifest))
    )


def table_row(name: str, *cells: str) -> str:
    numbers = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row">{escape(name)}</th>{numbers}</tr>\n'


def dropped_list(manifest: Manifest) -> str:
    """Returns the words that the tokenizer dropped, by reason."""
    first, *reasons = [*word_lines(describe_words(manifest)), ""]
    if not first:
        return ""
    items = "".join(f"<dd>{escape(line.strip())}</dd>" for line in reasons if line)
    listed = f"<details><summary>Dropped words</summary><dl>{items}</dl></details>"
    return f'<p class="note">{escape(first)}</p>' + (listed if items else "")


def example_list(examples: Mapping[str, Sequence[Reject]]) -> str:
    """Returns a list of examples of rejects, by reason."""
    if not examples:
        return ""
    items = "".join(
        f"<dt>{escape(reason)}</dt>"
        + "".join(
            f"<dd>{escape(line.where)}<span>{escape(line.detail)}</span></dd>"
            for line in lines
        )
        for reason, lines in sorted(examples.items())
    )
    return f"<details><summary>Examples</summary><dl>{items}</dl></details>"


def word_bars(words: Counter[str]) -> str:
    """Returns the most frequent words, ties by word, as a list with bars."""
    ranked = sorted(words.items(), key=lambda item: (-item[1], item[0]))[:FREQUENT]
    if not ranked:
        return ""
    most = ranked[0][1]
    items = "".join(
        f'<li style="--part: {count / most:.3f}"><span>{escape(word)}</span>'
        f"<b>{count:,}</b></li>"
        for word, count in ranked
    )
    return f'<ol class="words">{items}</ol>'


def words_note(words: WordCounts, split: str) -> str:
    return (
        f"In {words.captions:,} captions of {escape(split)}: "
        f"{words.words.total():,} words, {len(words.words):,} distinct; "
        f"{len(words.unknown):,} distinct tokens are not in the vocabulary."
    )


def shard_rows(manifest: Manifest) -> str:
    rows = ""
    for split in in_order(manifest.shards):
        infos = manifest.shards[split]
        if infos:
            rows += f"<h3>{escape(split)}</h3>{charts.shard_bars(infos)}"
            rows += f'<p class="note">{spread(infos)}</p>'
    return rows


def spread(infos: Sequence) -> str:
    photos = [info.photos for info in infos]
    sizes = [info.bytes / 2**20 for info in infos]
    if len(infos) == 1:
        return f"1 shard of {photos[0]:,} photos, {sizes[0]:,.1f} MiB"
    return (
        f"{len(infos):,} shards of {min(photos):,} to {max(photos):,} photos, "
        f"{min(sizes):,.1f} to {max(sizes):,.1f} MiB"
    )


def facts(manifest: Manifest) -> dict[str, Any]:
    """Returns names and values of facts about the records and their encoder."""
    features, encoder = manifest.features, manifest.encoder
    dead = sum(deviation == 0 for deviation in manifest.moments.deviation)
    return {
        "encoder": network(encoder),
        "weights": f"{encoder.weights}, digest {encoder.digest[:SHORT]}…",
        "pixels": encoder.preprocessing,
        "features": f"{' x '.join(map(str, features.shape))} {features.dtype}, "
        f"{features.bytes:,} bytes a photo",
        "the same for all photos": f"{dead:,} of {len(manifest.moments.mean):,} "
        "features",
        "tokenizer": ", ".join(
            f"{key} {value}" for key, value in manifest.tokenizer.model_dump().items()
        ),
        "vocabulary": f"{manifest.vocabulary_size:,} tokens, SHA-256 "
        f"{manifest.vocabulary_sha256[:SHORT]}…",
        "photo formats": counts(manifest.statistics.photo_formats),
        "files without a caption": f"{manifest.statistics.uncaptioned_files:,}",
        "training captions": "all the same"
        if manifest.statistics.equal_captions
        else "not all the same",
        **{
            key if key == "source" else f"{key} from": value
            for key, value in manifest.sources.items()
        },
        "format": manifest.format,
    }


def fact_rows(rows: Mapping[str, Any]) -> str:
    return "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>\n"
        for name, value in rows.items()
    )


def section(split: str, samples: Sequence[Sample], manifest: Manifest) -> str:
    cards = "".join(
        load_template("card").substitute(card(sample, manifest)) for sample in samples
    )
    shown = f"{len(samples):,} of {manifest.photos(split):,}"
    heading = f"{escape(split)} <small>{shown} records</small>"
    return (
        f'<section><h2 class="split">{heading}</h2>'
        f'<ul class="cards">{cards}</ul></section>\n'
    )


def card(sample: Sample, manifest: Manifest) -> dict[str, str]:
    record, described = sample.record, sample.describe()
    extremes = described["features"].items()
    path = described["path"] or ""
    return {
        "photo": photo(sample),
        "photo_id": escape(record.photo_id),
        "place": f"record {sample.number} of {escape(sample.shard)}",
        "path": f"<br>{escape(path)}" if path else "",
        "changed": '<p class="warning">The file has changed since.</p>'
        if sample.changed
        else "",
        "captions": "".join(
            f"<li><q>{escape(text)}</q><p>{marked(tokens)}</p></li>"
            for text, tokens in zip(record.captions, sample.tokens)
        ),
        "strip": charts.feature_strip(record.features, manifest.moments),
        "cells": cells(sample),
        "extremes": ", ".join(f"{name} {number(value)}" for name, value in extremes),
    }


def photo(sample: Sample) -> str:
    """Returns the photo as a small JPEG, or a tile if there is none."""
    name = escape(sample.record.photo_id)
    missing = f'<div class="photo no-photo">No photo found: {name}</div>'
    if sample.photo is None:
        return missing
    try:
        url = photo_url(thumbnail(sample.photo, THUMBNAIL_SIDE))
    except Unreadable:
        return missing
    return f'<div class="photo"><img alt="Photo {name}" src="{url}"></div>'


def cells(sample: Sample) -> str:
    """Returns an image of the strength of a grid's cells; empty without a grid."""
    if sample.record.features.ndim != 3:
        return ""
    url = charts.cell_map(sample.record.features)
    return f'<img class="cells" alt="Strength of each cell" src="{url}">'


def marked(tokens: Iterable[Token]) -> str:
    """Returns tokens, with out-of-vocabulary ones marked."""
    return " ".join(
        escape(token.text) if token.known else f"<mark>{escape(token.text)}</mark>"
        for token in tokens
    )
