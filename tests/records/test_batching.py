import itertools

import pytest

from records.batching import batched


@pytest.mark.parametrize(
    ("items", "batches"),
    [("", []), ("ab", [("a", "b")]), ("abc", [("a", "b"), ("c",)])],
)
def test_only_the_last_batch_is_smaller(items, batches):
    assert list(batched(items, 2)) == batches


def test_no_more_is_read_than_a_batch():
    numbers = itertools.count()
    assert next(batched(numbers, 3)) == (0, 1, 2)
    assert next(numbers) == 3
