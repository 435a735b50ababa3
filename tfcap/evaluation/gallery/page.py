"""The page: charts and tables of all photos, and a card for each that is shown."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from records.format.photos import Photos
from records.html.charts import histogram
from records.html.images import EmbeddedPhoto, embed_photo
from records.html.page import Page
from records.photo_header import MAX_BYTES
from records.storage.files import make_output, read_file, write_text
from records.wording import percent
from tfcap.evaluation.gallery.entries import Entry, count_words, repeated, select
from tfcap.metrics import scoring

FILE_NAME = "index.html"
PAGE = Page(
    "tfcap.web", "gallery/page.html", ("gallery/page.css",), ("gallery/page.js",)
)
THUMBNAIL_SIDE = 224
FREQUENT = 8

LABELS = {"rouge_l": "ROUGE-L", "cider": "CIDEr", "meteor": "METEOR", "spice": "SPICE"}
LABELS |= {f"bleu_{n}": f"BLEU-{n}" for n in range(1, 5)}


def write_gallery(
    directory: str,
    entries: Sequence[Entry],
    scores: Mapping[str, tuple[float, float]],
    settings: Mapping[str, Any],
    title: str,
    limit: int = 1000,
    photos: Photos | None = None,
) -> str:
    """Writes `index.html` into `directory`: one file that needs nothing outside it.

    The page sorts by CIDEr and filters by text, CIDEr and length; it shows the first
    hundred cards, and more on request. Charts and counts cover all entries. Of more
    than `limit` entries, a third each have a card: best, worst and random. A card takes
    about 17 KB.

    >>> from tfcap.evaluation.gallery.entries import Entry
    >>> from tfcap.evaluation.gallery.page import write_gallery
    >>> references = ("A dog runs .", "A brown dog .")
    >>> entry = Entry("dog.jpg", None, "A dog .", -0.5, references, 80.0, 20.0, 60.0)
    >>> scores = {"bleu_4": (0.2, 0.05), "cider": (0.8, 0.1)}
    >>> write_gallery("gallery", [entry], scores, {"split": "dev"}, "My photos")
    'gallery/index.html'

    Args:
        directory: Directory of the page.
        entries: Photos with captions.
        scores: Name -> score of the captions and of the control, as fractions.
        settings: Name -> value.
        title: Title of the page.
        limit: Number of cards.
        photos: Where photos are that entries have no path of.

    Returns:
        The path of the page.

    Raises:
        UserError: The directory cannot be written.
    """
    selection = select(entries, limit)
    text = PAGE.render(
        title=title,
        about=scoring.describe({entry.photo_id: entry.caption for entry in entries}),
        scores=[
            (LABELS.get(name, name), *map(percent, pair))
            for name, pair in scores.items()
        ],
        settings=settings,
        ciders=histogram(
            Counter(entry.cider for entry in entries), most=20, finest=10, gap=0
        ),
        lengths=histogram(
            Counter(entry.words for entry in entries),
            Counter(
                count_words(text) for entry in entries for text in entry.references
            ),
        ),
        repeated=repeated(entries, FREQUENT),
        selection=selection,
        cards=cards(selection.entries, photos),
    )
    make_output(directory, "--gallery")
    path = os.path.join(directory, FILE_NAME)
    write_text(path, text)
    return path


def cards(
    entries: Sequence[Entry], photos: Photos | None = None
) -> Iterator[tuple[Entry, EmbeddedPhoto | None]]:
    lacking = [entry.photo_id for entry in entries if not entry.photo_path]
    located = photos.locate(lacking) if photos else ()
    packed = {name: embed_packed(photos, name) for name in located if photos}
    for entry in entries:
        yield entry, packed.get(entry.photo_id) or embed_file(entry.photo_path)


def embed_packed(photos: Photos, photo_id: str) -> EmbeddedPhoto | None:
    photo = photos.read(photo_id, b"")
    return embed_photo(photo.content, THUMBNAIL_SIDE) if photo else None


def embed_file(path: str | None) -> EmbeddedPhoto | None:
    try:
        return embed_photo(read_file(path or "", MAX_BYTES), THUMBNAIL_SIDE)
    except OSError:
        return None
