"""Limits on photos from strangers: headers are checked before anything is decoded.

`screen` refuses whatever is no photo or costs more than N pixels to decode. The others
run in batches of at most N pixels together, so that decoding never holds more.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from records.photo_header import MAX_PIXELS, PhotoProblem, check_header

UNREADABLE = "not a readable JPEG, PNG, GIF, BMP or WebP photo"
TOO_MANY_PIXELS = {"too_many_pixels", "too_costly"}  # reasons of a PhotoProblem

Row = TypeVar("Row")


class Screened(NamedTuple):
    """The result of checking a photo's header.

    Attributes:
        cost: Pixels to decode, with those of a progressive JPEG's scans; 0 if refused.
        problem: Why the photo must not be decoded, or None.
    """

    cost: float = 0.0
    problem: PhotoProblem | None = None

    @property
    def is_too_large(self) -> bool:
        return self.problem is not None and self.problem.reason in TOO_MANY_PIXELS


def screen(photos: Sequence[bytes], max_pixels: int = MAX_PIXELS) -> list[Screened]:
    """Checks the header of each photo; decodes nothing."""
    return [_screen_photo(photo, max_pixels) for photo in photos]


def _screen_photo(photo: bytes, max_pixels: int) -> Screened:
    try:
        return Screened(check_header(photo, max_pixels).cost)
    except PhotoProblem as problem:
        return Screened(problem=problem)


def batches_within(
    screened: Sequence[Screened], max_pixels: int
) -> Iterator[list[int]]:
    """Yields the indices of accepted photos, in batches of at most `max_pixels`."""
    batch: list[int] = []
    total = 0.0
    for i, (cost, problem) in enumerate(screened):
        if problem:
            continue
        if batch and total + cost > max_pixels:
            yield batch
            batch, total = [], 0.0
        batch.append(i)
        total += cost
    if batch:
        yield batch


def merge_results(
    screened: Sequence[Screened],
    results: Iterable[Row],
    refuse: Callable[[Screened], Row],
) -> list[Row]:
    """Returns a row per photo: the next result, or what `refuse` returns for it.

    Args:
        screened: All photos.
        results: Results of the accepted photos, in order.
        refuse: Makes the row of a refused photo.
    """
    remaining = iter(results)
    return [refuse(photo) if photo.problem else next(remaining) for photo in screened]


def too_costly(max_pixels: int) -> str:
    return f"more than {max_pixels:,} pixels, the scans of a progressive JPEG counted"
