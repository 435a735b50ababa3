"""Batches of one size, for XLA and TPUs, and batches of one photo instead of none.

One compilation serves batches of one size: each is padded to the largest that could be,
as many rows as the photos with the most of them would give, and the longest caption.
Padding weighs nothing in the loss.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from records.format.caption_reader import read_ids
from records.format.record_set import RecordSet
from records.text.vocabulary import PAD_ID, START_ID


class Shape(NamedTuple):
    """What batches of one replica are padded to: photos, rows, tokens of a prefix."""

    photos: int
    rows: int
    length: int


class RowCounts:
    """How many rows each photo of a split gives, of either expansion.

    Reads the split's captions once.
    """

    def __init__(self, records: RecordSet, split: str):
        self.length = max(records.manifest.longest_caption - 1, 1)
        _, lengths, captions = read_ids(records, split)
        photo = np.repeat(np.arange(len(captions)), captions)
        rows = np.bincount(photo, lengths - 1, len(captions)).astype(np.int64)
        self.counts = {"causal": captions, "prefix": rows}

    def shape(self, expansion: str, photos: int) -> Shape:
        """The least that any so many photos fit into."""
        most = np.sort(self.counts[expansion])[::-1][:photos]
        return Shape(photos, int(most.sum()), self.length)


def pad_batch(batch: dict[str, tf.Tensor], shape: Shape) -> dict[str, tf.Tensor]:
    """Pads a batch; a row of padding has `<start>` for a prefix, and no target."""
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
    """Returns the batch; of one without a caption, a row that has no target.

    cuDNN's LSTM refuses a batch of no row, and TensorFlow 2.21 fails on a CPU at a
    convolution of no photo with batch norm behind it. Shares of the last global batch
    and parts of a batch may be empty.
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
    """Zeros at the end of each axis; the shape is known when the graph is made."""
    missing = tf.constant(size) - tf.shape(values)
    padded = tf.pad(values, tf.stack([tf.zeros_like(missing), missing], 1))
    return tf.ensure_shape(padded, size)
