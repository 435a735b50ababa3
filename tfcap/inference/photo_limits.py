"""Limits on photos from strangers: headers are checked before anything is decoded.

`screen` refuses a file that is no photo or costs more than N pixels to decode. The
others run in batches of at most N pixels together, so that decoding never holds more.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from records.photo_header import MAX_PIXELS, PhotoProblem, check_header

Row = TypeVar("Row")


class ScreenedPhotos(NamedTuple):
    """Photos whose headers have been checked.

    Attributes:
        accepted: Photos that may be decoded, in order.
        costs: Pixels to decode each of these, with those of a progressive JPEG's scans.
        problems: For each photo, why it must not be decoded, or None.
    """

    accepted: list[bytes]
    costs: list[float]
    problems: list[PhotoProblem | None]

    def batches(self, max_pixels: int) -> Iterator[list[bytes]]:
        """Yields the accepted photos in batches of at most `max_pixels`."""
        batch: list[bytes] = []
        total = 0.0
        for photo, cost in zip(self.accepted, self.costs):
            if batch and total + cost > max_pixels:
                yield batch
                batch, total = [], 0.0
            batch.append(photo)
            total += cost
        if batch:
            yield batch

    def merge(self, results: Iterable[Row], failed: Callable[[str], Row]) -> list[Row]:
        """Returns a row per photo.

        Args:
            results: Rows of the accepted photos, in order.
            failed: Makes the row of a refused photo from the reason.
        """
        rows = iter(results)
        return [
            failed(problem.describe()) if problem else next(rows)
            for problem in self.problems
        ]


def screen(photos: Sequence[bytes], max_pixels: int = MAX_PIXELS) -> ScreenedPhotos:
    """Checks the header of each photo; decodes nothing."""
    screened = ScreenedPhotos([], [], [])
    for photo in photos:
        try:
            screened.costs.append(check_header(photo, max_pixels).cost)
            screened.accepted.append(photo)
            screened.problems.append(None)
        except PhotoProblem as problem:
            screened.problems.append(problem)
    return screened
