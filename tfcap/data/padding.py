"""Pads batches to a few sizes, for XLA and TPUs, and fills empty ones with a photo.

XLA compiles a step once for each size of its batch. Batches are therefore padded: each
photo gets the rows of the photo with the most, and rows are as long as the longest of
the batch, rounded up to a multiple of `LENGTHS`. Padding has no weight in the loss.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from records.format.caption_reader import read_ids
from records.format.record_set import RecordSet
from records.text.vocabulary import PAD_ID, START_ID

LENGTHS = 8


class Shape(NamedTuple):
    """The padded size of a replica's batch.

    Attributes:
        photos: number of photos.
        rows: number of rows of each photo.
        longest: largest number of tokens of a prefix.
    """

    photos: int
    rows: int
    longest: int

    def length(self, needed: tf.Tensor) -> tf.Tensor:
        """Returns the padded length of a batch whose longest row is `needed`."""
        return tf.minimum(-(-needed // LENGTHS) * LENGTHS, self.longest)

    @property
    def sizes(self) -> int:
        """The number of sizes of batches, which is that of compilations."""
        return -(-self.longest // LENGTHS)


class RowCounts:
    """The largest number of rows that a photo of a split gives, in either expansion.

    Reads the split's captions once.
    """

    def __init__(self, records: RecordSet, split: str):
        self.longest = max(records.manifest.longest_caption - 1, 1)
        _, lengths, captions = read_ids(records, split)
        photo = np.repeat(np.arange(len(captions)), captions)
        rows = np.bincount(photo, lengths - 1, len(captions)).astype(np.int64)
        self.most = {"causal": int(captions.max()), "prefix": int(rows.max())}

    def shape(self, expansion: str, photos: int) -> Shape:
        """Returns the shape that any `photos` photos of the split fit into."""
        return Shape(photos, max(self.most[expansion], 1), self.longest)


def pad_batch(batch: dict[str, tf.Tensor], shape: Shape) -> dict[str, tf.Tensor]:
    """Pads a batch: photo after photo, each with `shape.rows` rows.

    Rows of padding have the prefix `<start>` and no target.
    """
    prefix, photo = batch["prefix"], batch["photo"]
    rows, length = shape.photos * shape.rows, shape.length(tf.shape(prefix)[1])
    row = photo * shape.rows + rank(photo, shape.photos)

    def spread(values: tf.Tensor) -> tf.Tensor:
        if values.shape.rank == 1:
            return tf.scatter_nd(row[:, tf.newaxis], values, [rows])
        wider = tf.pad(values, [[0, 0], [0, length - tf.shape(values)[1]]])
        padded = tf.scatter_nd(row[:, tf.newaxis], wider, tf.stack([rows, length]))
        return tf.ensure_shape(padded, [rows, None])

    prefix = spread(prefix)
    starts = tf.fill([rows, 1], START_ID)  # all rows begin so, of padding too
    padded = {
        "photo": tf.repeat(tf.range(shape.photos), shape.rows),
        "prefix": tf.concat([starts, prefix[:, 1:]], 1),
        "target": spread(batch["target"]),
    }
    return {
        name: padded[name]
        if name in padded
        else pad_to(values, [shape.photos, *values.shape[1:]])
        for name, values in batch.items()
    }


def rank(photo: tf.Tensor, photos: int) -> tf.Tensor:
    """Returns the number of earlier rows of a row's photo; `photo` never falls."""
    counts = tf.math.bincount(photo, minlength=photos, maxlength=photos)
    return tf.range(tf.size(photo)) - tf.gather(
        tf.cumsum(counts, exclusive=True), photo
    )


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
