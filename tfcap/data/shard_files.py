"""Reads shards, and fetches remote ones into the cache before they are read.

`fetch` is `RecordSet.fetcher`: None for local records, which need no fetching.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import tensorflow as tf

from records.format.record_set import RecordSet

Fetcher = Callable[[Iterable[int]], None]


def read_in_order(records: RecordSet, split: str) -> tf.data.Dataset:
    """Returns the records of a split in stored order, serialised."""
    paths, fetch = records.shard_paths(split), records.fetcher(split)
    if fetch is None:
        return tf.data.TFRecordDataset(paths)
    numbers = fetch_ahead(tf.data.Dataset.range(len(paths)).batch(1), fetch)
    return numbers.flat_map(
        lambda number: tf.data.TFRecordDataset(tf.gather(paths, number))
    )


def fetch_ahead(dataset: tf.data.Dataset, fetch: Fetcher | None) -> tf.data.Dataset:
    """Returns the data set, which fetches the shards of an element before it is read.

    The shards of one element are fetched while those of the element before it are read.

    Args:
        dataset: of numbers of shards, int64 [shards], alone or first in a tuple.
        fetch: fetches shards by their numbers.
    """
    if fetch is None:
        return dataset

    def fetch_all(shards: np.ndarray) -> np.ndarray:
        fetch(shards.tolist())
        return shards

    def fetch_element(shards: tf.Tensor, *others: tf.Tensor) -> tf.Tensor | tuple:
        fetched = tf.numpy_function(fetch_all, [shards], shards.dtype)
        fetched.set_shape(shards.shape)
        return (fetched, *others) if others else fetched

    return dataset.map(fetch_element).prefetch(1)


def explained(batches: Iterable, records: RecordSet) -> Iterator:
    """Yields batches; raises the UserError of a fetch instead of TensorFlow's error."""
    try:
        yield from batches
    except tf.errors.OpError:
        if failure := records.failure:
            raise failure from None
        raise
