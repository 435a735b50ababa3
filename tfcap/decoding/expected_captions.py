"""What people would write of a photo, as n-grams: predicted from training captions.

CIDEr-D compares a caption with references, n-gram by n-gram. Of a new photo there are
none, but a regression on its features (`regression.py`) predicts how much of each
n-gram they would have, on average over those who write, and how long they would be.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from tfcap.cider import ORDERS, CiderD, length_penalty, pad, pairs, trimmed
from tfcap.decoding.regression import Regression

AT_ONCE = 4096  # captions taken apart


class Rows(NamedTuple):
    """The n-grams of one length in the captions of the training photos, one a row.

    Attributes:
        gram: its place among those that `CiderD` knows, int32 [rows], ascending.
        photo: int32 [rows].
        value: what it is of its caption's vector of length 1, divided by the photo's
            captions, float32 [rows].
    """

    gram: np.ndarray
    photo: np.ndarray
    value: np.ndarray


class ExpectedCaptions:
    """Scores captions of a photo against what people would write of it.

    Args:
        captions: token ids of each training photo's captions, without `<start>`.
        regression: weighs those photos.
    """

    def __init__(
        self,
        captions: Sequence[Sequence[Sequence[int]]],
        cider: CiderD,
        regression: Regression,
    ):
        self.cider, self.regression = cider, regression
        counts = np.array([len(own) for own in captions])
        photo = np.repeat(np.arange(len(captions)), counts).astype(np.int32)
        flat = pad([caption for own in captions for caption in own]).astype(np.int32)
        self.rows = {n: take_apart(flat, photo, counts, cider, n) for n in ORDERS}
        total = np.bincount(photo, pairs(flat).numpy(), len(captions))
        lengths = total / np.maximum(counts, 1)
        self.lengths = lengths.astype(np.float32)

    def scores(
        self, captions: tf.Tensor, features: tf.Tensor | Sequence[tf.Tensor]
    ) -> tf.Tensor:
        """Of captions of each photo of a batch, float32 [photos, n].

        Args:
            captions: int32 [photos, n, length], without `<start>`.
            features: of the photos, as `Regression.weights` takes them.
        """
        return tf.map_fn(
            lambda photo: self.score(*photo),
            (captions, self.regression.weights(features)),
            fn_output_signature=tf.TensorSpec([None], tf.float32),
        )

    def score(self, captions: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        """CIDEr-D to be expected of captions of one photo, 0.5 and not 50, float32 [n].

        An n-gram that comes twice counts twice, where CIDEr-D cuts it to what is in the
        reference; and the length is compared with the one to be expected.

        Args:
            captions: int32 [n, length], without `<start>`.
            weights: of the training photos, float32 [photos].
        """
        captions = trimmed(captions)
        alike = tf.add_n([self.similarity(captions, weights, n) for n in ORDERS])
        expected = tf.reduce_sum(weights * self.lengths)
        return 10 * length_penalty(captions, expected) * alike / len(ORDERS)

    def similarity(self, captions: tf.Tensor, weights: tf.Tensor, n: int) -> tf.Tensor:
        """Cosine of n-grams with those of each training caption, weighed, [n]."""
        rows, known = self.rows[n], len(self.cider.rarity[n][0])
        shares = rows.value * tf.gather(weights, rows.photo)
        expected = tf.math.unsorted_segment_sum(shares, rows.gram, known)
        numbers, weight, _, norm = self.cider.vector(captions, n)
        at, found = self.cider.find(numbers, n)
        theirs = tf.where(found, tf.gather(expected, at), 0.0)
        return tf.math.divide_no_nan(tf.reduce_sum(weight * theirs, -1), norm)


def take_apart(
    captions: np.ndarray,
    photo: np.ndarray,
    counts: np.ndarray,
    cider: CiderD,
    n: int,
) -> Rows:
    """The n-grams of captions int32 [captions, length], whose photo is `photo`.

    Args:
        counts: captions of each photo.
    """
    parts = []
    for start in range(0, len(captions), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        numbers, weight, _, norm = cider.vector(tf.constant(captions[some]), n)
        value = tf.math.divide_no_nan(weight, norm[:, tf.newaxis]).numpy()
        caption, place = np.nonzero(value)
        whose = photo[some][caption]
        gram = cider.find(numbers, n)[0].numpy()[caption, place]
        parts.append((gram, whose, value[caption, place] / counts[whose]))
    gram, whose, value = map(np.concatenate, zip(*parts))
    order = np.argsort(gram, kind="stable")
    kinds = np.int32, np.int32, np.float32
    columns = [part[order].astype(t) for part, t in zip((gram, whose, value), kinds)]
    return Rows(*columns)
