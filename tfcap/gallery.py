"""One self-contained page of photos, captions and scores, to look at a model with."""

import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from string import Template
from typing import Any

import tensorflow as tf
from PIL import Image

from records.errors import UserError
from records.files import read_file, write_atomically
from records.thumbnails import Unreadable, photo_url, thumbnail
from tfcap import metrics

FILE_NAME = "index.html"
THUMBNAIL_SIDE = 224
MAX_BINS = 16

_LABELS = dict(
    zip(metrics.NAMES, ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "CIDEr"))
)


@dataclass(frozen=True)
class Entry:
    """A photo, its caption and how well that did.

    Attributes:
        photo_path: where the photo lies, or None; a photo that cannot be read gets a
            tile with its id instead.
        score: mean log-probability of the caption's tokens.
        references: as in the source.
    """

    photo_id: str
    photo_path: str | None
    caption: str
    score: float
    references: tuple[str, ...]
    cider: float
    bleu_4: float


def write_gallery(
    directory: str,
    entries: Sequence[Entry],
    summary: Mapping[str, Any],
    title: str,
    limit: int = 300,
) -> str:
    """Writes `index.html` into `directory`: one file that needs nothing outside it.

    The page sorts by CIDEr and filters by text. Histogram and counts are of all
    entries; of more than `limit`, a third each are shown: best, worst and at random.

    Args:
        summary: `scores` and `shuffled_photos` (name to value, as `metrics.Scores`
            has them) and `settings` (name to value, sections may nest).

    Returns:
        The path of the page.

    Raises:
        UserError: the directory cannot be written.
    """
    page, card = _templates()
    shown = select(entries, limit)
    text = page.substitute(
        title=escape(title),
        lede=_lede(entries),
        scores=_score_rows(summary["scores"], summary.get("shuffled_photos") or {}),
        settings=_setting_rows(summary.get("settings") or {}),
        histogram=_histogram([entry.cider for entry in entries]),
        selection=_selection(len(shown), len(entries), limit),
        cards="".join(card.substitute(_card(entry)) for entry in shown),
    )
    return _write(directory, text)


def select(entries: Sequence[Entry], limit: int) -> list[Entry]:
    """At most `limit` entries, best CIDEr first: a third each best, worst and random.

    What is drawn depends on the photo ids and scores alone.
    """
    ranked = sorted(entries, key=lambda entry: (-entry.cider, entry.photo_id))
    if len(ranked) <= limit:
        return ranked
    third = limit // 3
    middle = range(third, len(ranked) - third)
    drawn = sorted(random.Random(0).sample(middle, limit - 2 * third))
    return ranked[:third] + [ranked[i] for i in drawn] + ranked[len(ranked) - third :]


def _write(directory: str, page: str) -> str:
    try:
        tf.io.gfile.makedirs(directory)
    except tf.errors.OpError as error:
        raise UserError(f"cannot create {directory}: {error.message}") from None
    path = os.path.join(directory, FILE_NAME)
    write_atomically(path, page.encode("utf-8"))
    return path


def _templates() -> tuple[Template, Template]:
    """The page, and one card on it."""
    file = resources.files("tfcap").joinpath("pages", "gallery.html")
    card, page = file.read_text(encoding="utf-8").split("<!-- end of the card -->\n")
    return Template(page), Template(card)


def _lede(entries: Sequence[Entry]) -> str:
    about = metrics.describe({entry.photo_id: entry.caption for entry in entries})
    return (
        f"<b>{about['captions']:,}</b> photos, "
        f"<b>{about['distinct_captions']:,}</b> distinct captions from "
        f"<b>{about['distinct_words']:,}</b> words, "
        f"<b>{about['mean_words']:.1f}</b> words long on average; "
        f"<b>{about['empty_captions']:,}</b> empty."
    )


def _selection(shown: int, total: int, limit: int) -> str:
    if shown == total:
        return "All photos are shown."
    third = limit // 3
    return (
        f"{shown:,} of {total:,} photos: {third:,} best, {third:,} worst by CIDEr and "
        f"{shown - 2 * third:,} drawn at random. Scores and histogram are of all."
    )


def _score_rows(scores: Mapping[str, float], control: Mapping[str, float]) -> str:
    return "\n".join(
        f'<tr><th scope="row">{escape(_LABELS.get(name, name))}</th>'
        f'<td class="own">{_number(value)}</td>'
        f'<td class="control">{_number(control.get(name))}</td></tr>'
        for name, value in scores.items()
    )


def _setting_rows(settings: Mapping[str, Any], prefix: str = "") -> str:
    rows = ""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            rows += _setting_rows(value, f"{prefix}{name}.")
        else:
            rows += f"<dt>{escape(prefix + name)}</dt><dd>{escape(str(value))}</dd>\n"
    return rows


def _number(value: float | None) -> str:
    return "&ndash;" if value is None else f"{value:.3f}"


def _card(entry: Entry) -> dict[str, str]:
    return {
        "photo": _photo(entry),
        "photo_id": escape(entry.photo_id),
        "caption": escape(entry.caption.strip()) or "no caption",
        "empty": "" if entry.caption.strip() else " empty",
        "references": "".join(f"<li>{escape(text)}</li>" for text in entry.references),
        "cider": f"{entry.cider:.2f}",
        "bleu_4": f"{entry.bleu_4:.2f}",
        "score": f"{entry.score:.2f}".replace("-", "&minus;"),
        "hue": str(round(140 * min(1.0, entry.cider / 2))),  # from red to green
    }


def _photo(entry: Entry) -> str:
    try:
        small = thumbnail(read_file(entry.photo_path or ""), THUMBNAIL_SIDE)
    except (OSError, Unreadable):
        return f'<div class="photo no-photo">No photo: {escape(entry.photo_id)}</div>'
    # One pixel is the mean colour: a quiet frame for photos that do not fill it.
    red, green, blue = small.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    return (
        f'<div class="photo" style="background: rgb({red} {green} {blue})">'
        f'<img alt="Photo {escape(entry.photo_id)}" src="{photo_url(small)}"></div>'
    )


def _bins(values: Sequence[float]) -> tuple[float, list[int]]:
    """The width of a bin and how many values each holds, from 0 on."""
    top = max(values, default=0.0)
    width = next((w for w in (0.1, 0.25, 0.5) if top / w < MAX_BINS), 1.0)
    counts = [0] * (int(top / width) + 1)
    for value in values:
        counts[int(value / width)] += 1
    return width, counts


def _histogram(values: Sequence[float]) -> str:
    """Inline SVG, 340 x 225: bins along 10..330, bars up from 205, 180 high at most."""
    width, counts = _bins(values)
    step = 320 / len(counts)
    mean = sum(values) / max(1, len(values))
    at = min(max(10 + step * mean / width, 35), 305)  # the label stays inside
    return (
        '<svg class="histogram" viewBox="0 0 340 225" role="img" '
        f'aria-label="Histogram of CIDEr, mean {mean:.2f}">'
        f"{_bars(width, counts, step)}{_scale(width, len(counts), step)}"
        f'<line class="mean" x1="{at:.1f}" x2="{at:.1f}" y1="18" y2="205"/>'
        f'<text class="mean-label" x="{at:.1f}" y="12">mean {mean:.2f}</text></svg>'
    )


def _bars(width: float, counts: Sequence[int], step: float) -> str:
    unit = 180 / max(1, *counts)
    return "".join(
        f'<rect x="{11 + i * step:.1f}" y="{205 - unit * count:.1f}" rx="2" '
        f'width="{step - 2:.1f}" height="{unit * count:.1f}">'
        f"<title>{i * width:g} to {(i + 1) * width:g}: {count:,} photos</title></rect>"
        for i, count in enumerate(counts)
    )


def _scale(width: float, bins: int, step: float) -> str:
    numbers = "".join(
        f'<text x="{10 + i * step:.1f}" y="220">{i * width:g}</text>'
        for i in range(0, bins + 1, -(-bins // 7))  # at most eight
    )
    return f'<line x1="10" x2="330" y1="205.5" y2="205.5"/>{numbers}'
