"""The page: charts and tables of all photos, and a card for each that is shown."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from html import escape
from string import Template
from typing import Any

from PIL import Image

from records.html.images import Unreadable, photo_url, thumbnail
from records.html.theme import stylesheet
from records.photo_header import MAX_BYTES
from records.storage.files import make_output, read_file, write_text
from tfcap.evaluation.gallery import charts
from tfcap.evaluation.gallery.entries import Entry, count_words, select
from tfcap.metrics import scoring
from tfcap.web.static_files import csp_hash, read_static

FILE_NAME = "index.html"
THUMBNAIL_SIDE = 224
FREQUENT = 8

_LABELS = {"rouge_l": "ROUGE-L", "cider": "CIDEr", "meteor": "METEOR", "spice": "SPICE"}
_LABELS |= {f"bleu_{n}": f"BLEU-{n}" for n in range(1, 5)}


def write_gallery(
    directory: str,
    entries: Sequence[Entry],
    summary: Mapping[str, Any],
    title: str,
    limit: int = 1000,
) -> str:
    """Writes `index.html` into `directory`: one file that needs nothing outside it.

    The page sorts by CIDEr and filters by text, CIDEr and length; it shows the first
    hundred, and more when asked. Charts and counts are of all entries; of more than
    `limit`, a third each are there: best, worst and at random. A photo takes about
    17 KB.

    Args:
        summary: `scores` and `shuffled_photos` (name to value, as `metrics.Scores`
            has them) and `settings` (name to value, sections may nest).

    Returns:
        The path of the page.

    Raises:
        UserError: the directory cannot be written.
    """
    card = Template(read_static("gallery/card.html"))
    style, script = (read_static(f"gallery/page.{kind}") for kind in ("css", "js"))
    shown = select(entries, limit)
    text = Template(read_static("gallery/page.html")).substitute(
        title=escape(title),
        style=stylesheet() + style,
        script=script,
        policy=f"style-src 'unsafe-inline'; script-src {csp_hash(script)}",
        lede=_lede(entries),
        scores=_score_rows(summary["scores"], summary.get("shuffled_photos") or {}),
        settings=_setting_rows(summary.get("settings") or {}),
        ciders=charts.cider_histogram([entry.cider for entry in entries]),
        lengths=_lengths(entries),
        frequent=_frequent(entries),
        selection=_selection(len(shown), len(entries), limit),
        cards="".join(card.substitute(_card(entry)) for entry in shown),
    )
    return _write(directory, text)


def _write(directory: str, page: str) -> str:
    make_output(directory, "--gallery")
    path = os.path.join(directory, FILE_NAME)
    write_text(path, page)
    return path


def _lede(entries: Sequence[Entry]) -> str:
    about = scoring.describe({entry.photo_id: entry.caption for entry in entries})
    return (
        f"<b>{about['captions']:,}</b> photos, "
        f"<b>{about['distinct_captions']:,}</b> distinct captions from "
        f"<b>{about['distinct_words']:,}</b> words, "
        f"<b>{about['mean_words']:.1f}</b> words long on average; "
        f"<b>{about['empty_captions']:,}</b> empty."
    )


def _selection(shown: int, total: int, limit: int) -> str:
    if shown == total:
        return "All photos are here."
    third = limit // 3
    return (
        f"{shown:,} of {total:,} photos are here: {third:,} best, {third:,} worst by "
        f"CIDEr and {shown - 2 * third:,} drawn at random. Scores and charts are of "
        "all."
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


def _lengths(entries: Sequence[Entry]) -> str:
    references = [count_words(text) for entry in entries for text in entry.references]
    return charts.length_histogram([entry.words for entry in entries], references)


def _frequent(entries: Sequence[Entry]) -> str:
    """Captions that several photos have, most frequent first, ties by text."""
    groups = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: entry.photo_id):
        groups[scoring.normalize(entry.caption)].append(entry)
    ranked = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    repeated = [group for group in ranked[:FREQUENT] if len(group[1]) > 1]
    if not repeated:
        return '<p class="note">No two photos have the same caption.</p>'
    most = len(repeated[0][1])
    rows = "".join(_frequent_row(text, same, most) for text, same in repeated)
    return f'<ol class="frequent">{rows}</ol>'


def _frequent_row(normalized: str, same: Sequence[Entry], most: int) -> str:
    mean = sum(entry.cider for entry in same) / len(same)
    return (
        f'<li style="--part: {len(same) / most:.3f}"><button type="button" '
        f'title="Show them" data-normalized="{escape(normalized)}">'
        f"{_caption(same[0])}</button><b>{len(same):,}</b>"
        f"<span>CIDEr {mean:.2f}</span></li>"
    )


def _caption(entry: Entry) -> str:
    return escape(entry.caption.strip()) or "no caption"


def _card(entry: Entry) -> dict[str, str]:
    return {
        "photo": _photo(entry),
        "photo_id": escape(entry.photo_id),
        "caption": _caption(entry),
        "empty": "" if entry.caption.strip() else " empty",
        "references": "".join(f"<li>{escape(text)}</li>" for text in entry.references),
        "exact_cider": repr(entry.cider),
        "words": str(entry.words),
        "normalized": escape(scoring.normalize(entry.caption)),
        "cider": f"{entry.cider:.2f}",
        "bleu_4": f"{entry.bleu_4:.2f}",
        "rouge_l": f"{entry.rouge_l:.2f}",
        "score": f"{entry.score:.2f}".replace("-", "&minus;"),
        "hue": str(round(140 * min(1.0, entry.cider / 2))),  # from red to green
    }


def _photo(entry: Entry) -> str:
    try:
        photo = read_file(entry.photo_path or "", MAX_BYTES)
        small = thumbnail(photo, THUMBNAIL_SIDE)
    except (OSError, Unreadable):
        return f'<div class="photo no-photo">No photo: {escape(entry.photo_id)}</div>'
    # One pixel is the mean colour: a quiet frame for photos that do not fill it.
    red, green, blue = small.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    width, height = small.size
    return (
        f'<div class="photo" style="background: rgb({red} {green} {blue})">'
        f'<img alt="Photo {escape(entry.photo_id)}" width="{width}" height="{height}" '
        f'loading="lazy" decoding="async" src="{photo_url(small)}"></div>'
    )
