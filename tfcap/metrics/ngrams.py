"""Numbers n-grams of token ids, and counts the photos whose captions hold them."""

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import tensorflow as tf

from records.format.caption_reader import CaptionIds

Ids = TypeVar("Ids", np.ndarray, tf.Tensor)
AT_ONCE = 1 << 25  # n-grams sorted together: 256 MB
PHOTOS = 1 << 13  # photos whose n-grams are numbered together
SAMPLE = 1 << 10  # one n-gram in 1,024 shows how the numbers are distributed


def number(captions: Ids, n: int, vocabulary: int) -> Ids:
    """Returns an int64 number for each n-gram, [..., length - n + 1].

    No two 4-grams of up to 55,000 tokens have the same number. With more tokens numbers
    wrap around, and two in 10**19 may be equal.

    Args:
        captions: token ids, an array or a tensor [..., length].
        n: length of the n-grams.
        vocabulary: number of tokens.
    """
    wide = (
        tf.cast(captions, tf.int64)
        if tf.is_tensor(captions)
        else captions.astype(np.int64)
    )
    length = captions.shape[-1]
    count = (tf.shape(captions)[-1] if length is None else length) - n + 1
    numbers = wide[..., :count]
    for start in range(1, n):
        numbers = numbers * vocabulary + wide[..., start : start + count]
    return numbers


def shared_ngrams(
    ids: CaptionIds, n: int, vocabulary: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the n-grams of more than one photo, ascending, and their photo counts.

    They are sorted in parts of `AT_ONCE`, so that memory grows with the result alone.
    """
    bounds = part_bounds(ids, n, vocabulary)
    parts = []
    for lowest, end in zip([None, *bounds], [*bounds, None]):
        batches = ngrams_of_photos(ids, n, vocabulary, lowest, end)
        parts.append(count_repeated(np.concatenate(list(batches))))
    ngrams, photos = map(np.concatenate, zip(*parts))
    return ngrams, photos


def part_bounds(ids: CaptionIds, n: int, vocabulary: int) -> list[int]:
    """Returns numbers that cut all n-grams into parts of about `AT_ONCE`."""
    parts = -(-int(np.maximum(ids.lengths - (n - 1), 0).sum()) // AT_ONCE)
    if parts < 2:
        return []
    batches = ngrams_of_photos(ids, n, vocabulary)
    sample = np.sort(np.concatenate([batch[::SAMPLE] for batch in batches]))
    index = np.arange(1, parts) * len(sample) // parts
    return np.unique(sample[index]).tolist()


def ngrams_of_photos(
    ids: CaptionIds,
    n: int,
    vocabulary: int,
    lowest: int | None = None,
    end: int | None = None,
) -> Iterator[np.ndarray]:
    """Yields the n-grams of some photos at a time, each once per photo.

    Args:
        ids: the captions.
        n: length of the n-grams.
        vocabulary: number of tokens.
        lowest: least number to yield; None for no limit.
        end: numbers from here on are left out; None for no limit.
    """
    for part in ids.parts(PHOTOS):
        caption = np.repeat(np.arange(len(part.lengths)), part.lengths)
        photo = np.repeat(np.arange(len(part.captions)), part.captions)[caption]
        count = max(len(caption) - n + 1, 0)
        numbers = number(part.tokens, n, vocabulary) if count else np.empty(0, int)
        # An n-gram must not reach into the next caption.
        kept = caption[:count] == caption[len(caption) - count :]
        if lowest is not None:
            kept &= numbers >= lowest
        if end is not None:
            kept &= numbers < end
        yield once_per_photo(numbers[kept], photo[:count][kept])


def once_per_photo(numbers: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """Drops repeated numbers of a photo; photos must ascend."""
    order = np.argsort(numbers, kind="stable")
    numbers, photo = numbers[order], photo[order]
    is_first = np.ones(len(numbers), bool)
    is_first[1:] = (numbers[1:] != numbers[:-1]) | (photo[1:] != photo[:-1])
    return numbers[is_first]


def count_repeated(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the numbers that occur more than once, ascending, and their counts.

    Sorts `numbers` in place.
    """
    numbers.sort()
    repeats = np.zeros(len(numbers) + 1, bool)  # whether it equals the one before
    np.equal(numbers[1:], numbers[:-1], out=repeats[1:-1])
    first = np.flatnonzero(repeats[1:] & ~repeats[:-1])
    last = np.flatnonzero(repeats[:-1] & ~repeats[1:])
    return numbers[first], last - first + 1
