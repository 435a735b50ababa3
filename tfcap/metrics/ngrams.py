"""N-grams of token ids as numbers, and in how many photos' captions each occurs."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from records.format.caption_reader import CaptionIds

AT_ONCE = 1 << 25  # n-grams sorted together: 256 MB
PHOTOS = 1 << 13  # taken apart together
SAMPLE = 1 << 10  # one n-gram in 1,024 tells how large the numbers are


def number(captions, n: int, vocabulary: int):
    """One int64 for each n-gram, [..., length - n + 1]; of arrays and of tensors.

    Up to 55,000 tokens no two 4-grams have the same; beyond, numbers wrap around and
    two in 10**19 may.
    """
    wide = (
        tf.cast(captions, tf.int64)
        if tf.is_tensor(captions)
        else captions.astype(np.int64)
    )
    places = captions.shape[-1]
    places = (tf.shape(captions)[-1] if places is None else places) - n + 1
    numbers = wide[..., :places]
    for place in range(1, n):
        numbers = numbers * vocabulary + wide[..., place : place + places]
    return numbers


def shared_ngrams(
    ids: CaptionIds, n: int, vocabulary: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the n-grams of more than one photo, ascending, and of how many.

    They are sorted in parts of `AT_ONCE`, so that memory grows with what is found.
    """
    bounds = part_bounds(ids, n, vocabulary)
    parts = []
    for lowest, end in zip([None, *bounds], [*bounds, None]):
        found = ngrams_of_photos(ids, n, vocabulary, lowest, end)
        parts.append(count_repeated(np.concatenate(list(found))))
    ngrams, photos = map(np.concatenate, zip(*parts))
    return ngrams, photos


def part_bounds(ids: CaptionIds, n: int, vocabulary: int) -> list[int]:
    """Numbers between which there are about `AT_ONCE` n-grams each."""
    parts = -(-int(np.maximum(ids.lengths - (n - 1), 0).sum()) // AT_ONCE)
    if parts < 2:
        return []
    some = ngrams_of_photos(ids, n, vocabulary)
    sample = np.sort(np.concatenate([part[::SAMPLE] for part in some]))
    places = np.arange(1, parts) * len(sample) // parts
    return np.unique(sample[places]).tolist()


def ngrams_of_photos(
    ids: CaptionIds,
    n: int,
    vocabulary: int,
    lowest: int | None = None,
    end: int | None = None,
) -> Iterator[np.ndarray]:
    """Yields the n-grams of some photos at a time, each once for a photo.

    Args:
        lowest, end: only numbers from here on, and below; None for all.
    """
    for part in ids.parts(PHOTOS):
        caption = np.repeat(np.arange(len(part.lengths)), part.lengths)
        photo = np.repeat(np.arange(len(part.captions)), part.captions)[caption]
        places = max(len(caption) - n + 1, 0)
        numbers = number(part.tokens, n, vocabulary) if places else np.empty(0, int)
        there = caption[:places] == caption[len(caption) - places :]
        if lowest is not None:
            there &= numbers >= lowest
        if end is not None:
            there &= numbers < end
        yield once_a_photo(numbers[there], photo[:places][there])


def once_a_photo(numbers: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """Drops what comes twice in a photo; photos ascend."""
    order = np.argsort(numbers, kind="stable")
    numbers, photo = numbers[order], photo[order]
    fresh = np.ones(len(numbers), bool)
    fresh[1:] = (numbers[1:] != numbers[:-1]) | (photo[1:] != photo[:-1])
    return numbers[fresh]


def count_repeated(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the numbers that come more than once, ascending, and how often.

    Sorts them in place.
    """
    numbers.sort()
    again = np.zeros(len(numbers) + 1, bool)  # whether it is as the one before
    np.equal(numbers[1:], numbers[:-1], out=again[1:-1])
    first = np.flatnonzero(again[1:] & ~again[:-1])
    last = np.flatnonzero(again[:-1] & ~again[1:])
    return numbers[first], last - first + 1
