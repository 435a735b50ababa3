"""Compares the captions of a trained model with those of its export."""

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf
from rich.table import Table

from records.batching import batched
from records.console import number_table
from records.photo_header import MAX_BYTES
from records.storage.files import read_file
from tfcap.decoding.output import detokenize
from tfcap.export.signatures import PhotoCaptioner
from tfcap.inference import captioner
from tfcap.inference.captioner import Captioned, caption_within

AT_A_TIME = 32  # photos
CLOSE = 1e-4  # of a score: float32 rounding over a caption's tokens


class Pair(NamedTuple):
    """The two captions of a photo."""

    photo: str
    live: Captioned
    exported: Captioned

    def agrees(self) -> bool:
        same = self.live.caption == self.exported.caption
        return same and abs(self.live.score - self.exported.score) < CLOSE


def compare(
    live: PhotoCaptioner, exported: captioner.Captioner, paths: Sequence[str]
) -> list[Pair]:
    """Captions photos with both models, `AT_A_TIME` together."""
    pairs: list[Pair] = []
    for batch in batched(paths, AT_A_TIME):
        photos = [read_file(path, MAX_BYTES) for path in batch]
        rows = batch, live_captions(live, photos), caption_within(exported, photos)
        pairs += [Pair(*row) for row in zip(*rows)]
    return pairs


def live_captions(
    captioner: PhotoCaptioner, photos: Sequence[bytes]
) -> list[Captioned]:
    """Captions photos with the model before export, operation by operation."""
    features, bad = captioner.encoder.encode(photos)
    stored = tf.cast(features, captioner.stored)
    captions = captioner.search(stored, captioner.mbr_scorer)
    best = captions.tokens[:, 0]
    texts = detokenize(best, captioner.vocabulary, captioner.tokenizer).numpy()
    scores = captions.mean_log_probability()[:, 0].numpy().tolist()
    good = iter(zip((text.decode() for text in texts), scores))
    reasons = dict(bad)
    return [
        Captioned.failed(reasons[i]) if i in reasons else Captioned(*next(good))
        for i in range(len(photos))
    ]


def comparison(pairs: Sequence[Pair]) -> Table:
    """Returns a table with a row per photo."""
    table = number_table("photo", "live", "score", "export", "score", "same")
    for pair in pairs:
        table.add_row(
            pair.photo,
            *shown(pair.live),
            *shown(pair.exported),
            "yes" if pair.agrees() else "no",
        )
    return table


def shown(result: Captioned) -> tuple[str, str]:
    return result.error or result.caption, "" if result.error else f"{result.score:.4f}"


def in_words(pairs: Sequence[Pair]) -> str:
    """Returns how many captions agree, and how far scores differ, as a sentence."""
    both = [pair for pair in pairs if not pair.live.error and not pair.exported.error]
    moved = [abs(pair.live.score - pair.exported.score) for pair in both] or [0.0]
    same = sum(pair.live.caption == pair.exported.caption for pair in pairs)
    return (
        f"{same} of {len(pairs)} captions are the same; scores differ by "
        f"{sum(moved) / len(moved):.2g} on average, by {max(moved):.2g} at most"
    )
