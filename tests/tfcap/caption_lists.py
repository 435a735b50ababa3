"""Captions as lists of ids, in the forms that tables and graphs are made of."""

from itertools import chain

import numpy as np

from records.format.caption_reader import CaptionIds
from tfcap.metrics.cider import CiderD


def ids_of(photos) -> CaptionIds:
    """Of each photo's captions, lists of ids."""
    captions = list(chain(*photos))
    return CaptionIds(
        np.array([*chain(*captions)], np.uint16),
        np.array([*map(len, captions)], np.int32),
        np.array([*map(len, photos)], np.int32),
    )


def pad(captions) -> np.ndarray:
    """A caption a row, int32 [captions, at least 4]."""
    return ids_of([captions]).padded(4)


def cider_of(photos, vocabulary: int) -> CiderD:
    return CiderD.of_captions(ids_of(photos), vocabulary)
