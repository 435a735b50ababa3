"""The entries of a gallery, and the choice of those that it shows."""

import functools
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tfcap.metrics import scoring


@dataclass(frozen=True)
class Entry:
    """A photo with its caption and the caption's scores.

    >>> from tfcap.evaluation.gallery.entries import Entry
    >>> references = ("A dog runs .", "A brown dog .")
    >>> entry = Entry("dog.jpg", None, "A dog .", -0.5, references, 80.0, 20.0, 60.0)
    >>> entry.normalized, entry.words
    ('a dog', 2)

    Attributes:
        photo_id: Id of the photo.
        photo_path: Path of the photo; None if it is not found.
        caption: The caption.
        score: Mean log-probability of the caption's tokens.
        references: Captions as in the source.
        cider: CIDEr of this caption, in percent.
        bleu_4: BLEU-4 of this caption, in percent.
        rouge_l: ROUGE-L of this caption, in percent.
    """

    photo_id: str
    photo_path: str | None
    caption: str
    score: float
    references: tuple[str, ...]
    cider: float
    bleu_4: float
    rouge_l: float

    @functools.cached_property
    def normalized(self) -> str:
        """The caption as scorers read it."""
        return scoring.normalize(self.caption)

    @property
    def words(self) -> int:
        return len(self.normalized.split())


@dataclass(frozen=True)
class Selection:
    """Entries that a gallery shows, best CIDEr first.

    Attributes:
        entries: The best, the entries drawn at random, and the worst; or all.
        third: Number of the best and of the worst.
        total: Number of entries to choose from.
    """

    entries: list[Entry]
    third: int
    total: int


def select(entries: Sequence[Entry], limit: int) -> Selection:
    """Selects at most `limit` entries: a third each best, random and worst by CIDEr.

    The choice depends on the photo ids and scores alone.

    >>> from tfcap.evaluation.gallery.entries import Entry, select
    >>> references = ("A dog runs .", "A brown dog .")
    >>> entries = [
    ...     Entry(f"{i}.jpg", None, "A dog .", -0.5, references, float(i), 20.0, 60.0)
    ...     for i in range(100)
    ... ]
    >>> [entry.photo_id for entry in select(entries, limit=6).entries]
    ['99.jpg', '98.jpg', ..., '1.jpg', '0.jpg']
    """
    ranked = sorted(entries, key=lambda entry: (-entry.cider, entry.photo_id))
    third, end = limit // 3, len(ranked) - limit // 3
    if len(ranked) > limit:
        drawn = random.Random(0).sample(range(third, end), limit - 2 * third)
        shown = [*range(third), *sorted(drawn), *range(end, len(ranked))]
        return Selection([ranked[i] for i in shown], third, len(ranked))
    return Selection(ranked, third, len(ranked))


def repeated(entries: Iterable[Entry], most: int) -> list[tuple[list[Entry], int]]:
    """Returns captions that several photos have, and the number of photos.

    Each caption comes as its entries, by photo id; the most frequent first, ties by
    text.
    """
    groups = defaultdict(list)
    for entry in sorted(entries, key=lambda entry: entry.photo_id):
        groups[entry.normalized].append(entry)
    ranked = sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))
    return [(same, len(same)) for _, same in ranked[:most] if len(same) > 1]


def count_words(text: str) -> int:
    """Counts words as scorers do."""
    return len(scoring.normalize(text).split())
