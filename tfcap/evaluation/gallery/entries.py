"""What a gallery shows, and which of it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tfcap.metrics import scoring


@dataclass(frozen=True)
class Entry:
    """A photo, its caption and how well that did.

    Attributes:
        photo_path: where the photo lies, or None; a photo that cannot be read gets a
            tile with its id instead.
        score: mean log-probability of the caption's tokens.
        references: as in the source.
        cider, bleu_4, rouge_l: of this caption alone, as `metrics.Scores` has them.
    """

    photo_id: str
    photo_path: str | None
    caption: str
    score: float
    references: tuple[str, ...]
    cider: float
    bleu_4: float
    rouge_l: float

    @property
    def words(self) -> int:
        return count_words(self.caption)


def count_words(text: str) -> int:
    """As scorers count them."""
    return len(scoring.normalize(text).split())


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
