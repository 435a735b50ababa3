"""Pads batches to one size, for XLA and TPUs, and fills empty ones with a photo.

A compilation serves batches of one size. Each batch is padded to the largest possible
one: as many rows as the photos with the most rows give, and the longest caption.
Padding has no weight in the loss.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from records.format.caption_reader import read_ids
from records.format.record_set import RecordSet
from records.text.vocabulary import PAD_ID, START_ID


class Shape(NamedTuple):
    """The padded size of a replica's batch: photos, rows and tokens of a prefix."""

    photos: int
    rows: int
    length: int


class RowCounts:
    """The number of rows that each photo of a split gives, in either expansion.

    Reads the split's captions once.
    """

    def __init__(self, records: RecordSet, split: str):
        self.length = max(records.manifest.longest_caption - 1, 1)
        _, lengths, captions = read_ids(records, split)
        photo = np.repeat(np.arange(len(captions)), captions)
        rows = np.bincount(photo, lengths - 1, len(captions)).astype(np.int64)
        self.counts = {"causal": captions, "prefix": rows}

    def shape(self, expansion: str, photos: int) -> Shape:
        """Returns the smallest shape that fits any `photos` photos of the split."""
        most = np.sort(self.counts[expansion])[::-1][:photos]
        return Shape(photos, int(most.sum()), self.length)


def pad_batch(batch: dict[str, tf.Tensor], shape: Shape) -> dict[str, tf.Tensor]:
    """Pads a batch; rows of padding have the prefix `<start>` and no target."""
    causal = batch["target"].shape.rank == 2
    rows = {
        "photo": [shape.rows],
        "prefix": [shape.rows, shape.length],
        "target": [shape.rows, shape.length] if causal else [shape.rows],
    }
    padded = {
        name: pad_to(values, rows.get(name, [shape.photos, *values.shape[1:]]))
        for name, values in batch.items()
    }
    empty = tf.range(shape.rows) >= tf.shape(batch["prefix"])[0]
    starts = tf.where(empty, START_ID, padded["prefix"][:, 0])
    prefix = tf.concat([starts[:, None], padded["prefix"][:, 1:]], 1)
    return {**padded, "prefix": prefix}


def never_empty(batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Returns the batch; one without captions gets a row without a target.

    cuDNN's LSTM refuses a batch without rows. On a CPU, TensorFlow 2.21 fails at a
    convolution of no photo that is followed by batch norm. Shares of the last global
    batch and parts of a batch may be empty.
    """

    def filled() -> dict[str, tf.Tensor]:
        row = {
            "photo": tf.constant([0]),
            "prefix": tf.constant([[START_ID]]),
            "target": tf.fill([1] * batch["target"].shape.rank, PAD_ID),
        }
        return {name: row.get(name, one_at_least(batch[name])) for name in batch}

    return tf.cond(tf.size(batch["photo"]) > 0, lambda: dict(batch), filled)


def one_at_least(values: tf.Tensor) -> tf.Tensor:
    """Returns values [n, ...], or zeros [1, ...] where n is 0."""
    missing = 1 - tf.minimum(tf.shape(values)[0], 1)
    return tf.pad(values, [[0, missing], *[[0, 0]] * (values.shape.rank - 1)])


def pad_to(values: tf.Tensor, size: list[int]) -> tf.Tensor:
    """Pads each axis at its end with zeros, to a shape that is known in tracing."""
    missing = tf.constant(size) - tf.shape(values)
    padded = tf.pad(values, tf.stack([tf.zeros_like(missing), missing], 1))
    return tf.ensure_shape(padded, size)
