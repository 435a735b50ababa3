"""N-grams of several photos' captions, counted in parts."""

from collections import Counter

import numpy as np
import pytest
from caption_lists import ids_of

from tfcap.metrics import ngrams
from tfcap.metrics.ngrams import number, shared_ngrams

SIZE = 9


@pytest.fixture
def photos():
    rng = np.random.default_rng(0)
    return [
        [rng.integers(0, SIZE, rng.integers(0, 9)).tolist() for _ in range(count)]
        for count in rng.integers(0, 5, 40)
    ]


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("at_once, photos_at_once", [(1 << 25, 1 << 13), (20, 3)])
def test_they_are_those_of_more_than_one_photo(
    photos, monkeypatch, n, at_once, photos_at_once
):
    monkeypatch.setattr(ngrams, "AT_ONCE", at_once)
    monkeypatch.setattr(ngrams, "PHOTOS", photos_at_once)
    monkeypatch.setattr(ngrams, "SAMPLE", 1)
    counts = Counter(
        gram
        for captions in photos
        for gram in {
            int(number(np.array(caption[i : i + n]), n, SIZE)[0])
            for caption in captions
            for i in range(len(caption) - n + 1)
        }
    )
    expected = sorted((gram, count) for gram, count in counts.items() if count > 1)
    found = shared_ngrams(ids_of(photos), n, SIZE)
    assert list(zip(*(column.tolist() for column in found))) == expected


def test_numbers_that_wrap_around():
    ids = ids_of([[[60_000, 65_000, 61_000, 65_535]]] * 2)
    known, photos = shared_ngrams(ids, 4, 65_536)
    assert known.tolist() == [number(ids.tokens, 4, 65_536)[0]]
    assert known[0] < 0 and photos.tolist() == [2]


def test_there_may_be_none():
    known, photos = shared_ngrams(ids_of([[[1, 2]], []]), 4, SIZE)
    assert len(known) == len(photos) == 0
