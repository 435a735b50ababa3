"""BLEU, ROUGE-L and CIDEr of captions against references, and a control.

The scorer is the Python part of coco-caption (`pycocoevalcap`); its METEOR, SPICE and
tokenizer need Java. `ptb_tokenizer` splits captions and references into the same words
as that tokenizer, so that `pycocoevalcap` computes the same scores.

Scripts without spaces (`records.text.scripts`) have no words to compare. Where most
letters of the references belong to such a script, each character counts as a word.
"""

import random
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from pycocoevalcap.bleu.bleu_scorer import BleuScorer
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge

from records.errors import UserError
from records.text.scripts import unspaced_fraction
from records.wording import counted
from tfcap.metrics.ptb_tokenizer import tokenize

WORD, CHARACTER = "word", "character"
NAMES = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "cider")


@dataclass(frozen=True)
class Scores:
    """Scores as coco-caption reports them: fractions, with CIDEr as 0.5, not 50.

    Attributes:
        corpus: The scores in `NAMES` over all photos. BLEU is corpus BLEU; ROUGE-L and
            CIDEr are means over photos.
        per_photo: Photo id, sorted -> the scores of the photo. Sentence BLEU without a
            common n-gram is small, not zero, because coco-caption smooths it.
        unit: Unit of the n-grams, `word` or `character`.
        differs: Why coco-caption would compute other scores from the same files.
        bleu_counts: The counts behind BLEU (`count_for_bleu`), int64 [photos, 10], in
            the order of `per_photo`.
    """

    corpus: dict[str, float]
    per_photo: dict[str, dict[str, float]]
    unit: str = WORD
    differs: tuple[str, ...] = ()
    bleu_counts: np.ndarray = field(
        default_factory=lambda: np.empty([0, 10], int), compare=False, repr=False
    )


class Texts(NamedTuple):
    """References and captions as scorers take them, by photo id, sorted.

    Attributes:
        references: Words of the references, separated by spaces.
        captions: Words of the caption, separated by spaces; one per photo.
        unit: As in `Scores`.
        differs: As in `Scores`.
    """

    references: dict[str, list[str]]
    captions: dict[str, list[str]]
    unit: str
    differs: tuple[str, ...]


def normalize(caption: str) -> str:
    """Returns the words of one caption, or its characters, with a space between.

    >>> normalize(" A dog's  ball. "), normalize("一只狗。")
    ("a dog 's ball", '一 只 狗')
    """
    if unit_of([caption]) == CHARACTER:
        return characters(caption)
    return tokenize([caption]).words[0]


def unit_of(texts: Sequence[str]) -> str:
    """Returns the unit of the n-grams: `character` for scripts without spaces."""
    return CHARACTER if unspaced_fraction(texts) > 0.5 else WORD


def characters(text: str) -> str:
    """Returns the characters of a text, marks with their letter, a space between.

    Punctuation, spaces and invisible characters are left out.
    """
    parts: list[str] = []
    for character in unicodedata.normalize("NFC", text).lower():
        kind = unicodedata.category(character)[0]
        if kind == "M" and parts:
            parts[-1] += character
        elif kind not in "PZC":
            parts.append(character)
    return " ".join(parts)


def score(
    captions: Mapping[str, str], references: Mapping[str, Sequence[str]]
) -> Scores:
    """Scores one caption per photo against the photo's references.

    An empty caption scores 0. A reference without a word is left out. CIDEr weighs
    n-grams by their inverse document frequency over photos, so that it is 0 for a
    single photo.

    BLEU: Papineni et al. 2002. ROUGE-L: Lin 2004. CIDEr: Vedantam et al. 2015. Scorer:
    coco-caption (Chen et al. 2015), closest reference length for BLEU.

    Args:
        captions: Photo id -> caption.
        references: Photo id -> references, for the same photos.

    Raises:
        UserError: A photo with a caption has no references, or the reverse.
    """
    texts = normalized(captions, references)
    pair = texts.references, texts.captions
    bleu_scorer = make_bleu_scorer(texts)
    bleu, bleu_each = bleu_scorer.compute_score("closest")
    rouge, rouge_each = Rouge().compute_score(*pair)
    cider, cider_each = Cider().compute_score(*pair)
    each = zip(*bleu_each, rouge_each, cider_each)
    per_photo = {photo: _named(row) for photo, row in zip(texts.captions, each)}
    corpus = _named([*bleu, rouge, cider])
    bleu_counts = count_for_bleu(bleu_scorer)
    return Scores(corpus, per_photo, texts.unit, texts.differs, bleu_counts)


def make_bleu_scorer(texts: Texts) -> BleuScorer:
    """Returns coco-caption's scorer with every caption and its references."""
    scorer = BleuScorer(n=4)
    for photo, (caption,) in texts.captions.items():
        scorer += (caption, texts.references[photo])
    return scorer


def count_for_bleu(scorer: BleuScorer) -> np.ndarray:
    """Returns the counts behind BLEU, int64 [photos, 10], in the order of photo ids.

    They are the matching n-grams of 1 to 4 words, all n-grams, the words of the
    caption, and the words of the reference of the closest length. Corpus BLEU is
    computed from their sums over photos.
    """
    rows = []
    for counts in scorer.ctest:
        words = counts["testlen"]
        nearest = min((abs(length - words), length) for length in counts["reflen"])[1]
        rows.append([*counts["correct"], *counts["guess"], words, nearest])
    return np.array(rows)


def mismatched_photos(captions: Mapping[str, str], seed: int) -> dict[str, str]:
    """Returns the control: the same captions, each assigned to a different photo.

    The scores of the control are what a model gets for writing like the references
    without using the photo. Captioning the photos in shuffled order would give the same
    captions, since a caption depends only on its photo; assigning them costs nothing.

    The result is a function of the seed. A single photo keeps its caption.
    """
    order = sorted(captions)
    random.Random(seed).shuffle(order)
    # Each photo gets the caption of the next one in a random cycle, never its own.
    cycle = zip(order, order[1:] + order[:1])
    mismatched = {photo: captions[other] for photo, other in cycle}
    return {photo: mismatched[photo] for photo in sorted(mismatched)}


def describe(captions: Mapping[str, str]) -> dict[str, Any]:
    """Describes how varied captions are, each after `normalize`.

    Returns:
        `captions`, `distinct_captions`, `distinct_words`, `mean_words` (empty captions
        count as 0 words) and `empty_captions`.
    """
    texts = [normalize(caption) for caption in captions.values()]
    words = [word for text in texts for word in text.split()]
    return {
        "captions": len(texts),
        "distinct_captions": len(set(texts)),
        "distinct_words": len(set(words)),
        "mean_words": len(words) / max(1, len(texts)),
        "empty_captions": texts.count(""),
    }


def normalized(
    captions: Mapping[str, str], references: Mapping[str, Sequence[str]]
) -> Texts:
    """Splits references and captions into the units that are scored.

    All references are split together, then all captions, in the order of photo ids, as
    coco-caption's tokenizer does with the files of `tfcap.metrics.coco_format`.
    """
    raw = [text for photo in sorted(references) for text in references[photo]]
    unit = unit_of(raw)
    rows, differs = _split(raw, unit)
    split_references = _by_photo(references, rows)
    _require_same_photos(set(captions), set(split_references))
    split_captions, captions_differ = _split(
        [captions[photo] for photo in split_references], unit
    )
    reasons = [reason for reason in dict.fromkeys((differs, captions_differ)) if reason]
    if wordless := rows.count(""):
        reasons.append(f"{counted(wordless, 'wordless reference')} left out here")
    return Texts(
        split_references,
        {photo: [text] for photo, text in zip(split_references, split_captions)},
        unit,
        tuple(reasons),
    )


def photos_with_words(references: Mapping[str, Sequence[str]]) -> list[str]:
    """Returns the photos that can be scored: one of their references has a word."""
    raw = [text for photo in sorted(references) for text in references[photo]]
    rows, _ = _split(raw, unit_of(raw))
    return list(_by_photo(references, rows))


def _by_photo(
    references: Mapping[str, Sequence[str]], rows: Sequence[str]
) -> dict[str, list[str]]:
    """Returns each photo's references that have a word, from those of all photos."""
    photos = [photo for photo in sorted(references) for _ in references[photo]]
    by_photo: dict[str, list[str]] = {}
    for photo, text in zip(photos, rows):
        if text:
            by_photo.setdefault(photo, []).append(text)
    return by_photo


def _split(texts: Sequence[str], unit: str) -> tuple[list[str], str]:
    """Returns the units of texts, and why coco-caption's would differ, or ""."""
    if unit == CHARACTER:
        return [*map(characters, texts)], "it takes each clause for a word"
    lines = tokenize(texts)
    lost = "it loses its place at line ends inside captions"
    return lines.words, "" if lines.exact else lost


def _named(values: Sequence[float]) -> dict[str, float]:
    return {name: float(value) for name, value in zip(NAMES, values, strict=True)}


def _require_same_photos(captioned: set[str], referenced: set[str]) -> None:
    if not captioned and not referenced:
        raise UserError("no captions to score")
    for photos, others, problem in (
        (captioned, referenced, "a caption but no references"),
        (referenced, captioned, "references but no caption"),
    ):
        if missing := sorted(photos - others):
            raise UserError(
                f"{counted(len(missing), 'photo')} with {problem}, the first "
                f"{missing[0]!r}; there are captions of "
                f"{counted(len(captioned), 'photo')} and references of "
                f"{counted(len(referenced), 'photo')}. Score captions against the "
                "split they were made for."
            )
